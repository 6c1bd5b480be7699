import { MillraceError } from '../../ports/errors.ts';
import type { ToolResult } from './run-tool.ts';

const network =
  /NewConnectionError|ConnectTimeout|ReadTimeout|Connection broken|Max retries|name resolution|Network is unreachable|Connection refused|error sending request|dns error|tcp connect error|50[0-9] (Server Error|Service)|operation timed out|CondaHTTPError/i;
const disk = /No space left on device|Disk quota exceeded/i;

/** What went wrong, whose fault it is, and the last lines of output. */
export function buildFailure(what: string, { code, tail }: ToolResult): MillraceError {
  const lines = tail.split('\n').slice(-15).join('\n');
  const said = lines === '' ? '' : `:\n${lines}`;
  if (code === undefined) return new MillraceError('UNAVAILABLE', `${what} could not be started on this worker`);
  if (disk.test(tail)) return new MillraceError('DISK_FULL', `${what} found no space on the disk${said}`);
  if (network.test(tail)) return new MillraceError('UNAVAILABLE', `${what} could not reach the package index${said}`);
  return new MillraceError('USER_CODE_FAILED', `${what} failed with exit code ${code}${said}`);
}

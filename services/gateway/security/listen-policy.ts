import { isIP } from 'node:net';
import { MillraceError } from '../../../runtime/ports/index.ts';

/** INVALID_CONFIGURATION unless the address is reached from this machine alone, or a token is asked for. */
export function checkListenAddress(host: string, token: string | undefined): void {
  if (isLoopback(host) || token !== undefined) return;
  throw new MillraceError(
    'INVALID_CONFIGURATION',
    `the gateway does not listen on ${host}, where others could reach it, without a token: set http.token, or listen on 127.0.0.1`,
    { details: { host } },
  );
}

export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}

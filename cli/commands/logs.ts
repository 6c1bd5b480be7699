import type { LineFilter } from '../../sdk/client/index.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import { type CommandModule, next, optionsOf, print } from '../command.ts';
import { shownLine } from '../run/run-views.ts';
import { withPlatform } from '../session.ts';

interface LogsOptions {
  readonly follow?: boolean;
  readonly grep?: string;
  readonly attempt?: string;
  readonly stream?: string;
}

export const command: CommandModule = {
  configure: (cmd) =>
    cmd
      .argument('<run>[/task]', "a run's id, or one of its steps or tasks: 1f3a…/train or 1f3a…/trials.3.fit")
      .option('-f, --follow', 'go on with what comes, until the run has ended')
      .option('--grep <text>', 'only lines that hold this text, whatever its case')
      .option('--attempt <n>', 'only this attempt')
      .option('--stream <out|err>', 'only this stream')
      .action(async (target: string) => {
        const options = optionsOf<LogsOptions>(cmd);
        const { runId, of } = targetOf(target);
        const filter = { ...filterOf(options), of };
        let lines = 0;
        await withPlatform(options, async ({ client }) => {
          for await (const line of client.runs.logs(runId, filter)) {
            lines += 1;
            print(options.json === true ? JSON.stringify(line) : shownLine(runId, line));
          }
          if (lines === 0) next(options, `millrace runs show ${runId}`);
        });
      }),
};

function filterOf({ follow, grep, attempt, stream }: LogsOptions): LineFilter {
  if (stream !== undefined && stream !== 'out' && stream !== 'err')
    throw new MillraceError('INVALID_ARGUMENT', `--stream must be out or err, got '${stream}'`);
  const number = attempt === undefined ? undefined : Number(attempt);
  if (number !== undefined && !(Number.isSafeInteger(number) && number >= 1))
    throw new MillraceError('INVALID_ARGUMENT', `--attempt must be a number from 1, got '${attempt ?? ''}'`);
  return { follow, grep, stream, attempt: number };
}

/** `<run>`, `<run>/<step>`, `<run>/<task>` or `<run>/<step>/<task>`: a task's id names its step. */
export function targetOf(target: string): { readonly runId: string; readonly of: string | undefined } {
  const [runId = '', ...rest] = target.split('/');
  if (/^[0-9a-f]{32}$/.test(runId) && rest.length <= 2) return { runId, of: rest.at(-1) };
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `'${target.slice(0, 200)}' is not <run>, <run>/<step> or <run>/<task>: \`millrace runs list\` shows runs`,
  );
}

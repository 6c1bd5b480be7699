import type { LineFilter } from '../../sdk/client/index.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import { taskTarget, wholeNumber } from '../arguments.ts';
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
        const { runId, of } = taskTarget(target);
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
  return { follow, grep, stream, attempt: wholeNumber('--attempt', attempt) };
}

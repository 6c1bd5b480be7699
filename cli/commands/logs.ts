import type { LineFilter, StepLine } from '../../sdk/client/index.ts';
import { logStreams } from '../../schemas/codec/log-line.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import { taskTarget, wholeNumber } from '../arguments.ts';
import { type CommandModule, next, optionsOf, print, say } from '../command.ts';
import { followLines } from '../run/follow-lines.ts';
import { shownLine } from '../run/run-views.ts';
import { whenAway } from '../run/when-away.ts';
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
      .option('--stream <out|err|trace>', 'only this stream; trace: why steps failed, with the frames of the platform')
      .action(async (target: string) => {
        const options = optionsOf<LogsOptions>(cmd);
        const { runId, of } = taskTarget(target);
        const filter = { ...filterOf(options), of };
        let lines = 0;
        const show = (line: StepLine): void => {
          lines += 1;
          print(options.json === true ? JSON.stringify(line) : shownLine(runId, line));
        };
        await withPlatform(options, async ({ client }) => {
          if (options.follow === true) {
            // a platform that was never there is not waited for
            await client.runs.show(runId);
            const onBroken = whenAway(runId, say, (up) => {
              throw up;
            });
            await followLines(client, runId, { filter, line: show, onBroken });
          } else for await (const line of client.runs.logs(runId, filter)) show(line);
          if (lines === 0) next(options, `millrace runs show ${runId}`);
        });
      }),
};

function filterOf({ grep, attempt, stream }: LogsOptions): LineFilter {
  const known = logStreams.find((one) => one === stream);
  if (stream !== known)
    throw new MillraceError('INVALID_ARGUMENT', `--stream must be ${logStreams.join(', ')}, got '${stream}'`);
  return { grep, stream: known, attempt: wholeNumber('--attempt', attempt) };
}

import { type CommandModule, next, optionsOf, say, show } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { existingFile } from '../load-file.ts';
import { withPlatform } from '../session.ts';
import { bold, dim } from '../ui/style.ts';
import { endOf, outcomeText } from './runs.ts';

interface ResumeOptions {
  readonly from?: string;
  readonly inPlace?: boolean;
  readonly deployed?: boolean;
  readonly tag: readonly string[];
}

export const command: CommandModule = {
  configure: (cmd) =>
    cmd
      .argument('<run-id>')
      .argument('[file]', 'flow file with changed code (default: the code of the run)')
      .option('--from <step>', 'run everything from this step on again (default: what did not end well)')
      .option('--in-place', 'go on under the same run id (default: a new run)')
      .option('--deployed', 'with the code of the deployed version of the flow')
      .option('--tag <tag>', 'of the new run (repeatable)', (value: string, all: string[]) => [...all, value], [])
      .action(async (origin: string, file: string | undefined) => {
        const options = optionsOf<ResumeOptions>(cmd);
        const { from, inPlace = false, deployed = false, tag: tags } = options;
        const flow = file === undefined ? undefined : await bundled(existingFile(file));
        await withPlatform(options, async ({ client }) => {
          const started = await client.runs.resume(origin, {
            inPlace,
            tags,
            code: deployed ? 'deployed' : 'origin',
            ...(from === undefined ? {} : { from }),
            ...(flow === undefined ? {} : { flow }),
          });
          if (started.queued === true) {
            show(options, started, ({ reason }) => `it waits: ${reason ?? ''}`);
            return;
          }
          const { runId } = started;
          say(`${bold(started.flow)} ${dim(`run ${runId}${inPlace ? ' goes on' : ` resumes ${origin}`}`)}`);
          const run = await endOf(client, runId);
          const cloned = run.tasks.filter(({ originRunId }) => originRunId !== null).length;
          const more = inPlace ? '' : `, ${cloned} of ${run.tasks.length} tasks taken over`;
          show(options, run, () => `${outcomeText(run)}${more}`);
          if (run.status !== 'completed') process.exitCode = exitCode.failure;
          next(options, `millrace runs show ${runId}`);
        });
      }),
};

async function bundled(file: string) {
  const { bundleFlow } = await import('../../runtime/adapters/bundler/bundle-flow.ts');
  return await bundleFlow(file);
}

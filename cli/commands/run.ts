import { type CommandModule, next, optionsOf, say, show } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { existingFile } from '../load-file.ts';
import { withPlatform } from '../session.ts';
import { bold, dim, green, red } from '../ui/style.ts';
import { duration } from '../ui/table.ts';
import { objectOf } from './trigger.ts';

interface ShownTask {
  readonly taskId: string;
  readonly status: string;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly message: string | null;
}

export const command: CommandModule = {
  configure: (cmd) =>
    cmd
      .argument('<file>', 'a file that exports a flow by default')
      .option('-P, --parameters <json>', 'parameters as a JSON object', '{}')
      .action(async (file: string) => {
        const options = optionsOf<{ parameters: string }>(cmd);
        const { bundleFlow } = await import('../../runtime/adapters/bundler/bundle-flow.ts');
        const bundled = await bundleFlow(existingFile(file));
        await withPlatform(options, async ({ client }) => {
          const { runId } = await client.flows.run(bundled, objectOf(options.parameters));
          say(`${bold(bundled.name)} ${dim(`run ${runId}`)}`);
          const told = new Set<string>();
          for (;;) {
            const run = (await client.runs.show(runId).catch(() => undefined)) as
              | (Awaited<ReturnType<typeof client.runs.show>> & { tasks: readonly ShownTask[]; failure: string | null })
              | undefined;
            for (const task of run?.tasks ?? []) {
              const line = `${task.taskId} ${task.status}`;
              if (told.has(line)) continue;
              told.add(line);
              const took =
                task.startedAt === null || task.endedAt === null
                  ? ''
                  : dim(` ${duration(task.endedAt - task.startedAt)}`);
              say(
                `  ${task.status === 'completed' ? green('✔') : task.status === 'running' ? dim('…') : red('✘')} ${task.taskId} ${task.status}${took}${task.message === null ? '' : ` ${red(task.message)}`}`,
              );
            }
            if (run !== undefined && run.endedAt !== null) {
              show(
                options,
                run,
                ({ status, startedAt, endedAt, failure }) =>
                  `${status === 'completed' ? green(status) : red(status)} after ${duration((endedAt ?? startedAt) - startedAt)}${failure === null ? '' : `: ${failure}`}`,
              );
              if (run.status !== 'completed') process.exitCode = exitCode.failure;
              break;
            }
            await new Promise<void>((resolve) => setTimeout(resolve, 50));
          }
          next(options, `millrace runs show ${runId}`);
        });
      }),
};

import { type CommandModule, optionsOf, print } from '../command.ts';
import { withPlatform } from '../session.ts';
import { shownValue } from '../ui/shown-value.ts';
import { bold, dim } from '../ui/style.ts';

export const command: CommandModule = {
  configure: (cmd) =>
    cmd
      .argument('<run-id>')
      .argument('[task]', 'one task (default: all)')
      .option('--name <name>', 'artifacts of this name only')
      .action(async (runId: string, task: string | undefined) => {
        const options = optionsOf<{ name?: string }>(cmd);
        await withPlatform(options, async ({ client }) => {
          const run = await client.run(runId);
          const artifacts = await run.artifacts({
            ...(task === undefined ? {} : { taskId: task }),
            ...(options.name === undefined ? {} : { name: options.name }),
          });
          const values: Record<string, Record<string, unknown>> = {};
          for (const artifact of artifacts)
            (values[artifact.taskId] ??= {})[artifact.name] = shownValue(await artifact.value());
          if (options.json === true) {
            print(JSON.stringify({ runId: run.id, flow: run.flow, status: run.status, tasks: values }, null, 2));
            return;
          }
          for (const [taskId, of] of Object.entries(values)) {
            print(bold(taskId));
            for (const [name, value] of Object.entries(of)) print(`  ${name} ${dim('=')} ${JSON.stringify(value)}`);
          }
        });
      }),
};

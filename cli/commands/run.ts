import { statSync } from 'node:fs';
import type { FlowBundle } from '../../runtime/adapters/bundler/bundle-flow.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
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

interface RunOptions {
  readonly param: readonly string[];
  readonly parameters: string;
  readonly entryPoint?: string;
}

/** The flow of a file or of a project's entry point, with the parameters as it names them. */
async function bundle(path: string, options: RunOptions): Promise<{ bundled: FlowBundle; parameters: object }> {
  const parameters = { ...objectOf(options.parameters), ...Object.fromEntries(options.param.map(pair)) };
  if (statSync(path).isDirectory()) {
    const { bundleProject } = await import('../../runtime/adapters/bundler/bundle-project.ts');
    const texts = Object.entries(parameters).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]);
    const given = Object.fromEntries(texts) as Record<string, string>;
    const project = await bundleProject(path, { entry: options.entryPoint, parameters: given });
    return { bundled: project, parameters: project.parameters };
  }
  if (options.entryPoint !== undefined)
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `-e names an entry point of an MLproject folder, and ${path} is a file`,
    );
  const { bundleFlow } = await import('../../runtime/adapters/bundler/bundle-flow.ts');
  return { bundled: await bundleFlow(path), parameters };
}

function pair(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new MillraceError('INVALID_ARGUMENT', `-P ${text}: write it as name=value`);
  return [text.slice(0, at), text.slice(at + 1)];
}

export const command: CommandModule = {
  configure: (cmd) =>
    cmd
      .argument('<file>', 'a file that exports a flow by default, or an MLproject folder')
      .option(
        '-P, --param <name=value>',
        'a parameter (repeatable)',
        (value: string, all: string[]) => [...all, value],
        [],
      )
      .option('--parameters <json>', 'parameters as a JSON object', '{}')
      .option('-e, --entry-point <name>', 'entry point of an MLproject folder (default: main)')
      .action(async (file: string) => {
        const options = optionsOf<RunOptions>(cmd);
        const { bundled, parameters } = await bundle(existingFile(file), options);
        await withPlatform(options, async ({ client }) => {
          const { runId } = await client.flows.run(bundled, parameters);
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

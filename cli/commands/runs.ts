import { type CommandModule, next, optionsOf, show } from '../command.ts';
import type { Client, ShownRun } from '../../sdk/client/index.ts';
import { withPlatform } from '../session.ts';
import { dim, green, red, yellow } from '../ui/style.ts';
import { ago, duration, table } from '../ui/table.ts';

export const command: CommandModule = {
  configure: (cmd) => {
    const list = cmd
      .command('list')
      .description('newest first')
      .option('--flow <flow>')
      .option('--status <status>')
      .option('--limit <n>', 'at most so many', '20');
    list.action(async () => {
      const options = optionsOf<{ flow?: string; status?: string; limit: string }>(list);
      await withPlatform(options, async ({ client }) => {
        const { flow, status, limit } = options;
        const runs = await client.runs.list({
          limit: Number(limit),
          ...(flow === undefined ? {} : { flow }),
          ...(status === undefined ? {} : { status }),
        });
        show(options, runs, (rows) =>
          rows.length === 0
            ? dim('no runs yet')
            : table(rows, [
                { title: 'RUN', value: ({ runId }) => runId },
                { title: 'FLOW', value: ({ flow: name, version }) => `${name} v${version}` },
                { title: 'STATUS', value: (row) => statusText(row.status) },
                { title: 'STARTED', value: ({ startedAt }) => ago(startedAt) },
                {
                  title: 'TOOK',
                  value: ({ startedAt, endedAt }) => (endedAt === null ? '' : duration(endedAt - startedAt)),
                  align: 'right',
                },
                { title: 'BY', value: ({ actor }) => actor },
              ]),
        );
        next(options, ...runs.slice(0, 1).map(({ runId }) => `millrace runs show ${runId}`));
      });
    });
    const one = cmd.command('show').description('steps, attempts and artifacts of a run').argument('<run-id>');
    one.action(async (runId: string) => {
      const options = optionsOf(one);
      await withPlatform(options, async ({ client }) => {
        show(options, await client.runs.show(runId), (run) => {
          const { tasks, failure } = run;
          const head = `run ${run.runId} of ${run.flow} v${run.version}: ${statusText(run.status)}${failure === null ? '' : ` ${red(failure)}`}`;
          const rows = table(tasks, [
            { title: 'TASK', value: ({ taskId }) => taskId },
            {
              title: 'STATUS',
              value: ({ status, originRunId }) =>
                `${statusText(status)}${originRunId === null ? '' : dim(' (taken over)')}`,
            },
            { title: 'ATTEMPT', value: ({ attempt }) => attempt, align: 'right' },
            {
              title: 'TOOK',
              value: ({ startedAt, endedAt }) =>
                startedAt === null || endedAt === null ? '' : duration(endedAt - startedAt),
              align: 'right',
            },
            {
              title: 'ARTIFACTS',
              value: ({ artifacts }) => artifacts.map(({ name, sizeBytes }) => `${name} (${sizeBytes} B)`).join(', '),
            },
          ]);
          return `${head}\n${rows}`;
        });
      });
    });
    const cancel = cmd
      .command('cancel')
      .description('stop a run')
      .argument('<run-id>')
      .option('--reason <text>', 'kept with the run', '');
    cancel.action(async (runId: string) => {
      const options = optionsOf<{ reason: string }>(cancel);
      await withPlatform(options, async ({ client }) => {
        await client.runs.cancel(runId, options.reason);
        show(options, { runId, cancelled: true }, () => `asked run ${runId} to stop`);
      });
    });
  },
};

/** Waits until a run is over. */
export async function endOf(client: Client, runId: string): Promise<ShownRun> {
  for (;;) {
    const run = await client.runs.show(runId);
    if (run.endedAt !== null) return run;
    await new Promise<void>((resolve) => setTimeout(resolve, 50));
  }
}

/** `completed after 3 s`, `failed after 3 s: why`. */
export function outcomeText({ status, startedAt, endedAt, failure }: ShownRun): string {
  return `${statusText(status)} after ${duration((endedAt ?? startedAt) - startedAt)}${failure === null ? '' : `: ${failure}`}`;
}

export function statusText(status: string): string {
  if (status === 'completed') return green(status);
  return status === 'running' ? yellow(status) : red(status);
}

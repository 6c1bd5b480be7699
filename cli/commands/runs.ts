import { type CommandModule, next, optionsOf, show } from '../command.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { Client, RunFilter, ShownRun } from '../../sdk/client/index.ts';
import { withPlatform } from '../session.ts';
import { dim, green, red, yellow } from '../ui/style.ts';
import { ago, duration, table } from '../ui/table.ts';
import { waitingText } from '../run/waiting-text.ts';
import { runText } from '../tracking/run-table.ts';
import { trackedOf, trackedRunVerbs } from '../tracking/run-verbs.ts';

export const command: CommandModule = {
  configure: (cmd) => {
    const list = cmd
      .command('list')
      .description('newest first')
      .option('--flow <flow>')
      .option('--status <status>', 'running, completed, failed or cancelled')
      .option('--by <actor>', 'who started it')
      .option('--since <time>', 'requested at or after, ISO 8601 or milliseconds')
      .option('--until <time>', 'requested before')
      .option('--tag <tag>', 'user or system tag (repeatable)', collect, [])
      .option('--namespace <tag>', 'as user:ada or production:<token>')
      .option('-P, --param <name=value>', 'parameter (repeatable)', collect, [])
      .option('--artifact <name=value>', 'artifact of any task, by its short JSON value (repeatable)', collect, [])
      .option('--cursor <cursor>', 'the page behind another one')
      .option('--limit <n>', 'at most so many', '20');
    list.action(async () => {
      const options = optionsOf<ListOptions>(list);
      await withPlatform(options, async ({ client }) => {
        const { runs, next: cursor } = await client.runs.page(filterOf(options));
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
                { title: 'TAGS', value: ({ tags }) => tags.join(', ') },
              ]),
        );
        next(
          options,
          ...runs.slice(0, 1).map(({ runId }) => `millrace runs show ${runId}`),
          ...(cursor === null ? [] : [`--cursor ${cursor}`]),
        );
      });
    });
    const one = cmd
      .command('show')
      .description('steps, attempts and artifacts of a run, what it logged, and the deployments that use its models')
      .argument('<run-id>');
    one.action(async (runId: string) => {
      const options = optionsOf(one);
      await withPlatform(options, async ({ client }) => {
        const known = await trackedOf(client, runId);
        const tracked = known === undefined ? [] : [runText(known.tracked, known.uses)];
        // Only flows have steps.
        if (known !== undefined && known.tracked.tags['millrace.flow'] === undefined) {
          show(options, known, () => tracked.join(''));
          return;
        }
        show(options, { ...(await client.runs.show(runId)), ...known }, (run) => {
          const { tasks, failure } = run;
          const head = `run ${run.runId} of ${run.flow} v${run.version}: ${statusText(run.status)}${failure === null ? '' : ` ${red(failure)}`}`;
          const rows = table(tasks, [
            { title: 'TASK', value: ({ taskId }) => taskId },
            {
              title: 'STATUS',
              value: ({ status, ...task }) => `${statusText(status)}${dim(originText(run, task))}`,
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
          const waits = tasks.flatMap((task) => waitingText(task, Date.now()) ?? []);
          return [head, rows, ...waits.map(yellow), ...tracked].join('\n');
        });
      });
    });
    const tag = cmd
      .command('tag')
      .description('user tags of a run: shown, or changed')
      .argument('<run-id>')
      .option('--add <tag>', 'repeatable', collect, [])
      .option('--remove <tag>', 'before the others are added (repeatable)', collect, []);
    tag.action(async (runId: string) => {
      const options = optionsOf<{ add: readonly string[]; remove: readonly string[] }>(tag);
      const { add, remove } = options;
      await withPlatform(options, async ({ client }) => {
        const change = add.length + remove.length > 0;
        if (change) await client.runs.tag(runId, { add, remove });
        const { tags, systemTags } = await client.runs.show(runId);
        show(options, { runId, tags, systemTags }, () => [...tags, ...systemTags.map(dim)].join('\n'));
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
    trackedRunVerbs(cmd);
  },
};

interface ListOptions {
  readonly flow?: string;
  readonly status?: 'running' | 'completed' | 'failed' | 'cancelled';
  readonly by?: string;
  readonly since?: string;
  readonly until?: string;
  readonly tag: readonly string[];
  readonly namespace?: string;
  readonly param: readonly string[];
  readonly artifact: readonly string[];
  readonly cursor?: string;
  readonly limit: string;
}

function filterOf({ flow, status, by, since, until, tag, namespace, param, artifact, cursor, limit }: ListOptions) {
  const given = { flow, status, actor: by, since, until, cursor };
  return {
    ...(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Partial<RunFilter>),
    tags: namespace === undefined ? tag : [namespace, ...tag],
    parameters: valuesOf(param),
    artifacts: valuesOf(artifact),
    limit: Number(limit),
  };
}

/** `name=value`, where what is no JSON is a text. */
function valuesOf(pairs: readonly string[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new MillraceError('INVALID_ARGUMENT', `${pair}: write it as name=value`);
      return [pair.slice(0, at), valueOf(pair.slice(at + 1))];
    }),
  );
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

const collect = (value: string, all: readonly string[]): readonly string[] => [...all, value];

/** A resumed run takes over from one run, which its head names; a memoised step from any. */
function originText(
  { originRunId: resumed }: ShownRun,
  { taskId, originRunId, originTaskId }: Pick<ShownRun['tasks'][number], 'taskId' | 'originRunId' | 'originTaskId'>,
): string {
  if (originRunId === null) return '';
  if (originRunId === resumed) return ' (taken over)';
  return ` (recalled from run ${originRunId}${originTaskId === taskId ? '' : `, ${originTaskId}`})`;
}

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

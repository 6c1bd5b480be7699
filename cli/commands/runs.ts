import { looseValue, namedValues, wholeNumber } from '../arguments.ts';
import { type CommandModule, next, optionsOf, repeatable, show } from '../command.ts';
import { withPlatform } from '../session.ts';
import { shownRun, statusText } from '../run/shown-run.ts';
import { dim } from '../ui/style.ts';
import { ago, duration, table } from '../ui/table.ts';
import { runText } from '../tracking/run-table.ts';
import { trackedOf, trackedRunVerbs } from '../tracking/run-verbs.ts';

export const command: CommandModule = {
  configure: (cmd) => {
    const list = cmd
      .command('list')
      .description('newest first')
      .option('--flow <flow>', 'only runs of this flow')
      .option('--status <status>', 'running, completed, failed or cancelled')
      .option('--by <actor>', 'who started it')
      .option('--since <time>', 'requested at or after, ISO 8601 or milliseconds')
      .option('--until <time>', 'requested before')
      .option('--tag <tag>', 'user or system tag (repeatable)', repeatable, [])
      .option('--namespace <tag>', 'as user:ada or production:<token>')
      .option('-P, --param <name=value>', 'parameter (repeatable)', repeatable, [])
      .option('--artifact <name=value>', 'artifact of any task, by its short JSON value (repeatable)', repeatable, [])
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
      .argument('<run-id>')
      .option('--step <step>', 'only tasks of this step')
      .option('--status <status>', 'only tasks that are waiting, running, completed, cancelled or failed of a kind')
      .option('--cursor <cursor>', 'the page of tasks behind another one')
      .option('--limit <n>', 'at most so many tasks', '50');
    one.action(async (runId: string) => {
      const { step, status, cursor, limit, ...options } = optionsOf<ShowOptions>(one);
      const filter = { step, status, cursor, limit: wholeNumber('--limit', limit, { least: 0 }) };
      await withPlatform(options, async ({ client }) => {
        const known = await trackedOf(client, runId);
        const tracked = known === undefined ? [] : [runText(known.tracked, known.uses, known.files)];
        // Only flows have steps.
        if (known !== undefined && known.tracked.tags['millrace.flow'] === undefined) {
          show(options, known, () => tracked.join(''));
          return;
        }
        const shown = await client.runs.show(runId, given(filter));
        show(options, { ...shown, ...known }, (run) => [...shownRun(run), ...tracked].join('\n'));
        const same = Object.entries(given({ step, status, limit })).map(([name, value]) => ` --${name} ${value}`);
        if (shown.next !== null) next(options, `millrace runs show ${runId}${same.join('')} --cursor ${shown.next}`);
      });
    });
    const tag = cmd
      .command('tag')
      .description('user tags of a run: shown, or changed')
      .argument('<run-id>')
      .option('--add <tag>', 'repeatable', repeatable, [])
      .option('--remove <tag>', 'before the others are added (repeatable)', repeatable, []);
    tag.action(async (runId: string) => {
      const options = optionsOf<{ add: readonly string[]; remove: readonly string[] }>(tag);
      const { add, remove } = options;
      await withPlatform(options, async ({ client }) => {
        const change = add.length + remove.length > 0;
        if (change) await client.runs.tag(runId, { add, remove });
        const { tags, systemTags } = await client.runs.show(runId, { limit: 0 });
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

interface ShowOptions {
  readonly step?: string;
  readonly status?: string;
  readonly cursor?: string;
  readonly limit: string;
}

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
  const said = { flow, status, actor: by, since, until, cursor };
  return {
    ...given(said),
    tags: namespace === undefined ? tag : [namespace, ...tag],
    parameters: valuesOf('-P', param),
    artifacts: valuesOf('--artifact', artifact),
    limit: wholeNumber('--limit', limit),
  };
}

function given<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}
/** `name=value`, where what is no JSON is a text. */
function valuesOf(option: string, pairs: readonly string[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(namedValues(option, pairs)).map(([name, text]) => [name, looseValue(text)]));
}

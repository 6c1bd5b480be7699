/** Verbs of `runs` for tracked runs, those of flows among them. */
import type { Command } from 'commander';
import { hasCode } from '../../runtime/ports/errors.ts';
import type { ArtifactEntry, Client, MetricPoint, RunUses, TrackedRun } from '../../sdk/client/index.ts';
import { syncSpool } from '../../sdk/tracking/index.ts';
import { wholeNumber } from '../arguments.ts';
import { next, optionsOf, repeatable, show } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { withPlatform } from '../session.ts';
import { sparkline } from '../ui/plot.ts';
import { dim } from '../ui/style.ts';
import { runTable, short } from './run-table.ts';

interface SearchOptions {
  readonly experiment: readonly string[];
  readonly order: readonly string[];
  readonly deleted?: true;
  readonly limit: string;
  readonly cursor?: string;
}

export function trackedRunVerbs(cmd: Command): void {
  const search = cmd
    .command('search')
    .description("tracked runs, those of flows among them, by MLflow's filters and more: docs/tracking.md")
    .argument('[filter]', "such as \"metrics.rmse < 0.8 AND (params.depth = '6' OR tags.team = 'a')\"")
    .option('--experiment <name-or-id>', 'repeatable; default: all', repeatable, [])
    .option('--order <key>', 'such as "metrics.rmse ASC" (repeatable; default: newest first)', repeatable, [])
    .option('--deleted', 'those that were deleted')
    .option('--cursor <token>', 'the page behind another one')
    .option('--limit <n>', 'at most so many', '20');
  search.action(async (filter?: string) => {
    const options = optionsOf<SearchOptions>(search);
    const { experiment, order: orderBy, deleted, limit, cursor: pageToken } = options;
    await withPlatform(options, async ({ client }) => {
      const { runs, next: cursor } = await client.tracking.search({
        experiments: experiment.length === 0 ? undefined : experiment,
        filter,
        orderBy,
        pageToken,
        limit: wholeNumber('--limit', limit),
        view: deleted === true ? 'DELETED_ONLY' : undefined,
      });
      show(options, runs, runTable);
      next(options, ...(cursor === null ? [] : [`--cursor ${cursor}`]));
    });
  });

  const metric = cmd
    .command('metric')
    .description('every point of a metric of a run, and its curve')
    .argument('<run-id>')
    .argument('<metric>');
  metric.action(async (runId: string, key: string) => {
    const options = optionsOf(metric);
    await withPlatform(options, async ({ client }) => {
      const points: MetricPoint[] = [];
      for await (const point of client.tracking.history(runId, key)) points.push(point);
      show(options, points, () => curveText(key, points));
    });
  });

  for (const [verb, summary] of [
    ['delete', 'hides a tracked run; `restore` brings it back'],
    ['restore', 'brings back one that was deleted'],
  ] as const) {
    const changing = cmd.command(verb).description(summary).argument('<run-id>');
    changing.action(async (runId: string) => {
      const options = optionsOf(changing);
      await withPlatform(options, async ({ client }) => {
        if (verb === 'delete') await client.tracking.deleteRun(runId);
        else await client.tracking.restoreRun(runId);
        show(options, { runId, [`${verb}d`]: true }, () => `run ${runId} was ${verb}d`);
      });
    });
  }

  const sync = cmd
    .command('sync')
    .description('sends what programs logged while the server was away')
    .argument('[folder]', 'spool directory (default: MILLRACE_SPOOL, else .millrace/spool)');
  sync.action(async (spool?: string) => {
    const options = optionsOf(sync);
    await withPlatform(options, async ({ url, configuration }) => {
      const token = configuration['http.token'];
      const all = await syncSpool({ url, token, spool });
      if (all.some(({ refused }) => refused.length > 0)) process.exitCode = exitCode.failure;
      show(options, all, (synced) =>
        synced.length === 0
          ? dim('nothing waits')
          : synced
              .map(({ runId, sent, refused, folder }) =>
                [
                  `run ${runId ?? '?'}: ${sent} entries sent`,
                  ...refused.map((reason) => `  refused, kept in ${folder}: ${reason}`),
                ].join('\n'),
              )
              .join('\n'),
      );
    });
  });
}

/** What was logged to a run and what came of it; undefined when it is not tracked. */
export async function trackedOf(
  client: Client,
  runId: string,
): Promise<
  { readonly tracked: TrackedRun; readonly uses: RunUses; readonly files: readonly ArtifactEntry[] } | undefined
> {
  try {
    const tracked = await client.tracking.run(runId);
    return { tracked, uses: await client.runs.uses(runId), files: await client.tracking.artifacts(runId) };
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}

function curveText(key: string, points: readonly MetricPoint[]): string {
  const values = points.map(({ value }) => value);
  if (values.length === 0) return dim(`no points of ${key}`);
  const finite = values.filter(Number.isFinite);
  const [low, high] = [
    finite.reduce((a, b) => Math.min(a, b), Infinity),
    finite.reduce((a, b) => Math.max(a, b), -Infinity),
  ];
  return [
    `${key}: ${points.length} points, ${short(low)} … ${short(high)}, last ${short(values.at(-1) ?? Number.NaN)}`,
    sparkline(values, 72),
  ].join('\n');
}

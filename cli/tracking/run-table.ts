/** Tracked runs as text. */
import type { ArtifactEntry, RunUses, TrackedRun } from '../../sdk/client/index.ts';
import { dim, green, red, yellow } from '../ui/style.ts';
import { ago, duration, table } from '../ui/table.ts';

export function runTable(runs: readonly TrackedRun[]): string {
  if (runs.length === 0) return dim('no runs');
  return table(runs, [
    { title: 'RUN', value: ({ runId }) => runId },
    { title: 'NAME', value: ({ name }) => name },
    { title: 'STATUS', value: ({ status }) => statusText(status) },
    { title: 'STARTED', value: ({ startedAt }) => ago(startedAt) },
    {
      title: 'TOOK',
      value: ({ startedAt, endedAt }) => (endedAt === null ? '' : duration(endedAt - startedAt)),
      align: 'right',
    },
    {
      title: 'METRICS',
      value: ({ metrics }) => pairs(Object.entries(metrics).map(([key, value]) => [key, short(value)])),
    },
    { title: 'PARAMETERS', value: ({ params }) => pairs(Object.entries(params)) },
  ]);
}

/** What was logged to a run, and what came of it. */
export function runText(run: TrackedRun, uses: RunUses, files: readonly ArtifactEntry[]): string {
  const section = (title: string, lines: readonly string[]): readonly string[] =>
    lines.length === 0 ? [] : [dim(title), ...lines.map((line) => `  ${line}`)];
  return [
    `run ${run.runId} ${run.name}: ${statusText(run.status)}`,
    ...section(
      'metrics',
      Object.entries(run.metrics).map(([key, value]) => `${key} ${short(value)}`),
    ),
    ...section(
      'parameters',
      Object.entries(run.params).map(([key, value]) => `${key} ${value}`),
    ),
    ...section(
      'datasets',
      run.datasets.map(({ name, digest }) => `${name} ${digest}`),
    ),
    ...section(
      'files',
      files.map(({ path, isFolder, sizeBytes }) => (isFolder ? `${path}/` : `${path} ${sizeBytes ?? 0} bytes`)),
    ),
    ...section(
      'models',
      uses.models.map(
        ({ model, version, aliases }) => `${model}/${version}${aliases.map((alias) => ` @${alias}`).join('')}`,
      ),
    ),
    ...section('deployments', uses.deployments.flatMap(deploymentLines)),
  ].join('\n');
}

function deploymentLines(use: RunUses['deployments'][number]): readonly string[] {
  const { deployment, route, model, version, share, traffic, evidence, findings } = use;
  const known =
    evidence === null
      ? `, ${traffic.completed} answers${traffic.failed > 0 ? `, ${traffic.failed} failures of all routes` : ''}`
      : `, ${evidence.requests} requests, ${evidence.failures} failures${evidence.rewards > 0 ? `, mean reward ${short(evidence.rewardSum / evidence.rewards)}` : ''}`;
  return [
    `${deployment}, route ${route} with ${model}/${version}: ${Math.round(share * 100)} % of the traffic${known}`,
    ...findings.map(({ kind, summary, positive }) => `  ${positive ? yellow(kind) : kind}: ${summary}`),
  ];
}

export function statusText(status: string): string {
  const text = status.toLowerCase();
  if (status === 'FINISHED') return green(text);
  return status === 'RUNNING' || status === 'SCHEDULED' ? yellow(text) : red(text);
}

export function short(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(5))) : String(value);
}

function pairs(values: readonly (readonly [string, string])[]): string {
  const shown = values.slice(0, 4).map(([key, value]) => `${key} ${value.slice(0, 24)}`);
  return [...shown, ...(values.length > 4 ? [`… ${values.length - 4} more`] : [])].join(', ');
}

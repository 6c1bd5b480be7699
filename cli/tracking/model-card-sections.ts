/** A model card as headings, lists of facts and tables: what its Markdown and its page have in common. */
import type { Column, ModelCard } from '../../sdk/client/index.ts';
import { short } from './run-table.ts';

export type Block =
  | { readonly type: 'facts'; readonly rows: readonly (readonly [what: string, text: string])[] }
  | { readonly type: 'table'; readonly heads: readonly string[]; readonly rows: readonly (readonly string[])[] }
  /** What somebody has written. */
  | { readonly type: 'text'; readonly text: string };

export interface Section {
  readonly title: string;
  readonly blocks: readonly Block[];
}

/** Without those that have nothing to say. */
export function cardSections(card: ModelCard): readonly Section[] {
  const sections: readonly Section[] = [
    { title: 'About', blocks: [...text(card.about), ...text(card.description), overview(card)] },
    { title: 'Inputs and outputs', blocks: signature(card) },
    { title: 'Evaluation', blocks: evaluation(card) },
    { title: 'How it was made', blocks: making(card) },
    { title: 'Data', blocks: data(card) },
    { title: 'Live quality', blocks: live(card) },
    { title: 'Lineage', blocks: lineage(card) },
    { title: 'Aliases and stages', blocks: moves(card) },
  ];
  return sections.filter(({ blocks }) => blocks.length > 0);
}

function overview({ aliases, stage, registeredAt, actor, artifact, source, tags }: ModelCard): Block {
  return facts([
    ['aliases', aliases.join(', ')],
    ['stage', stage === 'None' ? '' : stage],
    ['registered', `${new Date(registeredAt).toISOString()} by ${actor}`],
    ['artifact', `${artifact.codec}, ${artifact.sizeBytes} bytes, sha256 ${artifact.hash}`],
    ['source', source],
    ...Object.entries(tags).map(([key, value]) => [`tag ${key}`, value] as const),
  ]);
}

function signature({ signature: said }: ModelCard): readonly Block[] {
  if (said === null) return [];
  const rows = (kind: string, columns: readonly Column[]): readonly (readonly string[])[] =>
    columns.map(({ name, type, required }) => [kind, name === '' ? '–' : name, type, required ? 'yes' : 'no']);
  const all = [...rows('input', said.inputs), ...rows('output', said.outputs)];
  return all.length === 0 ? [] : [{ type: 'table', heads: ['', 'name', 'type', 'required'], rows: all }];
}

function evaluation({ version, metrics, others }: ModelCard): readonly Block[] {
  const names = Object.keys(metrics).sort();
  if (names.length === 0) return [];
  const name = (number: number, aliases: readonly string[]): string =>
    [`version ${number}`, ...aliases.map((a) => `@${a}`)].join(' ');
  return [
    {
      type: 'table',
      heads: ['metric', `version ${version}`, ...others.map((other) => name(other.version, other.aliases))],
      rows: names.map((metric) => [
        metric,
        short(metrics[metric] ?? Number.NaN),
        ...others.map((other) => (other.metrics[metric] === undefined ? '–' : short(other.metrics[metric]))),
      ]),
    },
  ];
}

function making({ run }: ModelCard): readonly Block[] {
  if (run === null) return [];
  const { runId, name, status, user, startedAt, endedAt, params, tags } = run;
  const took = endedAt === null ? '' : `, ${short((endedAt - startedAt) / 1_000)} s`;
  const parameters: readonly Block[] =
    Object.keys(params).length === 0
      ? []
      : [{ type: 'table', heads: ['parameter', 'value'], rows: Object.entries(params) }];
  return [
    facts([
      ['run', `${name} (${runId}), ${status.toLowerCase()}`],
      ['started', `${new Date(startedAt).toISOString()} by ${user}${took}`],
      ['flow', tags['millrace.flow'] ?? ''],
      ['program', tags['mlflow.source.name'] ?? ''],
      ['commit', tags['mlflow.source.git.commit'] ?? ''],
      ['repository', tags['mlflow.source.git.repoURL'] ?? ''],
      ['host', tags['millrace.host'] ?? ''],
    ]),
    ...parameters,
  ];
}

function data({ run }: ModelCard): readonly Block[] {
  const datasets = run?.datasets ?? [];
  if (datasets.length === 0) return [];
  return [{ type: 'table', heads: ['data set', 'digest'], rows: datasets.map(({ name, digest }) => [name, digest]) }];
}

function live({ deployments }: ModelCard): readonly Block[] {
  if (deployments.length === 0) return [];
  const rows = deployments.map(({ deployment, route, share, traffic, evidence }) => [
    deployment,
    route,
    `${Math.round(share * 100)} %`,
    String(evidence?.requests ?? traffic.completed),
    evidence === null ? failuresOf(traffic.failed) : String(evidence.failures),
    evidence === null || evidence.rewards === 0
      ? '–'
      : `${short(evidence.rewardSum / evidence.rewards)} of ${evidence.rewards}`,
  ]);
  const found = deployments.flatMap(({ deployment, findings }) =>
    findings.map(({ kind, summary, positive, at }) => [
      deployment,
      positive ? `${kind}!` : kind,
      summary,
      new Date(at).toISOString(),
    ]),
  );
  return [
    { type: 'table', heads: ['deployment', 'route', 'traffic', 'requests', 'failures', 'mean reward'], rows },
    ...(found.length === 0
      ? []
      : [{ type: 'table', heads: ['deployment', 'finding', 'says', 'at'], rows: found } as const]),
  ];
}

/** Where nothing steers the traffic, nobody counts which route a failed request would have taken. */
function failuresOf(failed: number): string {
  return failed === 0 ? '0' : `${failed} of all routes`;
}

function lineage({ lineage: links }: ModelCard): readonly Block[] {
  if (links.length === 0) return [];
  const rows = links.map(({ kind, id, text: said, verified }) => [kind, id, said, verified ? 'yes' : 'no']);
  return [{ type: 'table', heads: ['', 'id', 'says', 'checked'], rows }];
}

function moves({ moves: all }: ModelCard): readonly Block[] {
  if (all.length === 0) return [];
  const rows = all.map(({ kind, label, removed, at, actor }) => [
    new Date(at).toISOString(),
    `${removed ? 'lost' : 'got'} ${kind} ${label}`,
    actor,
  ]);
  return [{ type: 'table', heads: ['at', 'what', 'by'], rows }];
}

function text(said: string): readonly Block[] {
  return said.trim() === '' ? [] : [{ type: 'text', text: said }];
}

function facts(rows: readonly (readonly [string, string])[]): Block {
  return { type: 'facts', rows: rows.filter(([, value]) => value !== '') };
}

import { Registry } from 'prom-client';
import { afterAll, describe, expect, it } from 'vitest';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { inputOf } from '../../runtime/engine/fold-target.ts';
import type { Running, Runtime } from '../../runtime/engine/runtime.ts';
import { createTestRuntime } from '../../runtime/testing/test-runtime.ts';
import { auditedTopics, type TopicEntry, topics } from '../../schemas/topics.ts';
import { Health } from '../../services/all-in-one/health.ts';
import { roles } from '../../services/all-in-one/roles.ts';
import { topologies } from '../../topologies/index.ts';

/** `reader of topic`. */
interface Seen {
  /** A group, a projection or reports on `snapshots` say how far it has read. */
  readonly positions: Set<string>;
  /** A table, or a follower without a group. */
  readonly views: Set<string>;
  readonly written: Set<string>;
}

const seen: Seen = { positions: new Set(), views: new Set(), written: new Set() };
const opened: Running[] = [];
const world = await createTestRuntime();
afterAll(async () => {
  for (const part of opened.reverse()) await part.close();
  await world.close();
});

for (const topology of topologies) {
  // the audit trail has an instance for each topic
  const name = topology.name.startsWith('audit-trail-') ? 'audit-trail' : topology.name;
  seen.positions.add(`${name} of ${inputOf(topology)}`);
  for (const output of topology.outputs) seen.written.add(`${name} of ${output}`);
}
for (const topic of auditedTopics) seen.positions.add(`audit-sealer of ${topic}`);
for (const role of roles.filter(({ kind }) => kind === 'service')) {
  const flags = { directory: world.directory, 'http.port': '0', 'log.level': 'silent' };
  const configuration = resolveConfiguration({ environment: {}, flags });
  const runtime = noting(role.name);
  const context = { runtime, configuration, metrics: new Registry(), shared: {}, health: new Health(runtime) };
  opened.push(await role.start(context));
}

/** The runtime as a role gets it: what it reads and writes is noted, and none of its services runs. */
function noting(role: string): Runtime {
  const idle: Running = { ready: async () => undefined, close: async () => undefined };
  const noted: Partial<Runtime> = {
    runService: async ({ name, inputs, outputs }) => {
      for (const input of inputs) seen.positions.add(`${name} of ${input}`);
      for (const output of outputs) seen.written.add(`${name} of ${output}`);
      return idle;
    },
    runProjection: async (projection, store) => {
      for (const input of projection.inputs) seen.positions.add(`${projection.name} of ${input}`);
      return await world.runtime.runProjection(projection, store);
    },
    openTable: async (topic) => {
      seen.views.add(`${role} of ${topic}`);
      return await world.runtime.openTable(topic);
    },
    follow: async (topic, options) => {
      seen.views.add(`${role} of ${topic}`);
      return await world.runtime.follow(topic, options);
    },
  };
  return new Proxy(world.runtime, {
    get: (target, name) => {
      const of = name in noted ? noted : target;
      const value: unknown = Reflect.get(of, name, of);
      return typeof value === 'function' ? value.bind(of) : value;
    },
  });
}

/** Where the catalogue and what runs disagree. */
function disagreements(catalogue: Readonly<Record<string, TopicEntry>>): string[] {
  const named = (field: (entry: TopicEntry) => readonly string[] | undefined): Set<string> =>
    new Set(
      Object.entries(catalogue).flatMap(([topic, entry]) => (field(entry) ?? []).map((name) => `${name} of ${topic}`)),
    );
  const readBy = named((entry) => entry.readBy);
  const alsoReadBy = named((entry) => entry.alsoReadBy);
  const writtenBy = named((entry) => entry.writtenBy);
  const shared = [...seen.written].filter((writer) => !writer.endsWith(' of operations'));
  return [
    ...[...readBy].filter((reader) => !seen.positions.has(reader)).map((reader) => `no position: ${reader}`),
    ...[...seen.positions].filter((reader) => !readBy.has(reader)).map((reader) => `not in readBy: ${reader}`),
    ...[...alsoReadBy].filter((reader) => seen.positions.has(reader)).map((reader) => `a position: ${reader}`),
    ...[...seen.views].filter((reader) => !alsoReadBy.has(reader)).map((reader) => `not in alsoReadBy: ${reader}`),
    ...shared.filter((writer) => !writtenBy.has(writer)).map((writer) => `not in writtenBy: ${writer}`),
  ];
}

describe('the catalogue of topics', () => {
  it('names in readBy those whose position deletion can wait for, all of them and no others', () => {
    expect(seen.positions.size).toBeGreaterThan(60);
    expect(disagreements(topics)).toEqual([]);
  });

  it.each([
    ['readBy', 'explainer', 'no position: explainer of predictions'],
    ['alsoReadBy', 'provenance', 'a position: provenance of predictions'],
  ] as const)('would not get away with %s %s', (field, name, problem) => {
    const entry: TopicEntry = topics.predictions;
    const predictions = { ...entry, [field]: [...(entry[field] ?? []), name] };
    expect(disagreements({ ...topics, predictions })).toEqual([problem]);
  });

  it('would not get away with a reader, a view or a writer left out', () => {
    const attributions = { ...topics.attributions, readBy: ['provenance'], alsoReadBy: [], writtenBy: [] };
    expect(disagreements({ ...topics, attributions })).toEqual([
      'not in readBy: explainer of attributions',
      'not in alsoReadBy: gateway of attributions',
      'not in writtenBy: attribution-sampling of attributions',
      'not in writtenBy: explainer of attributions',
    ]);
  });
});

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { RawTopology } from '../../runtime/engine/topology.ts';
import { type TopicName, topics } from '../../schemas/topics.ts';
import { topologies } from '../../topologies/index.ts';

const inputOf = (topology: (typeof topologies)[number]): TopicName =>
  (topology as RawTopology).rawInput ?? (topology as { input: TopicName }).input;

/** The stem that the catalogue knows: the audit trail has an instance per topic. */
const stemOf = ({ name }: (typeof topologies)[number]): string =>
  name.startsWith('audit-trail-') ? 'audit-trail' : name;

describe('the list of topologies', () => {
  it('holds every file that declares one', () => {
    const folder = new URL('../../topologies/', import.meta.url);
    const declaring = readdirSync(folder)
      .filter((file) => file.endsWith('.ts') && file !== 'index.ts')
      .filter((file) => /\b(Topology<'[a-z-]+'>|RawTopology) (=|\{)/.test(readFileSync(new URL(file, folder), 'utf8')))
      .map((file) => file.replace(/\.ts$/, ''));
    expect(declaring.length).toBeGreaterThan(8);
    expect([...new Set(topologies.map(stemOf))].sort()).toEqual(declaring.sort());
  });

  it('gives each a name of its own and a sentence', () => {
    expect(new Set(topologies.map(({ name }) => name)).size).toBe(topologies.length);
    for (const { summary } of topologies) expect(summary.length).toBeGreaterThan(20);
  });

  it.each(topologies.map((topology) => [topology.name, topology] as const))(
    'agrees with the catalogue: %s',
    (_, topology) => {
      const input = inputOf(topology);
      if (!('rawInput' in topology)) expect(topics[input].access).toBe('closed');
      expect(topics[input].cleanup).toBe('delete');
      for (const output of topology.outputs) expect(topics[output].access).toBe('closed');
    },
  );
});

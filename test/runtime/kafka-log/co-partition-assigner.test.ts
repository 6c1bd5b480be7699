import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  assignCoPartitioned,
  type AssignableMember,
  type Assignment,
  partitionCounts,
} from '../../../runtime/adapters/kafka-log/co-partition-assigner.ts';

const nothing = { generation: -1, partitions: [] };
const member = (
  id: string,
  topics: readonly string[],
  owned: AssignableMember['owned'] = nothing,
): AssignableMember => ({ id, topics, owned });
const namesOf = (assignment: Assignment, id: string): string[] =>
  [...(assignment.get(id) ?? [])]
    .flatMap(([topic, partitions]) => partitions.map((partition) => `${topic}/${partition}`))
    .sort();
const ownedBy = (assignment: Assignment, id: string, generation: number) => ({
  generation,
  partitions: namesOf(assignment, id),
});

describe('the co-partitioning assigner', () => {
  it('gives equal partition numbers of all topics to one member', () => {
    const counts = new Map([
      ['predictions', 4],
      ['feedback', 4],
    ]);
    const topics = [...counts.keys()];
    const assignment = assignCoPartitioned([member('a', topics), member('b', topics)], counts);
    for (const id of ['a', 'b'])
      expect(assignment.get(id)!.get('predictions')).toEqual(assignment.get(id)!.get('feedback'));
    expect([...namesOf(assignment, 'a'), ...namesOf(assignment, 'b')]).toHaveLength(8);
  });

  it('leaves members what they had when one joins, as far as the balance allows', () => {
    const counts = new Map([['runs', 6]]);
    const before = assignCoPartitioned([member('a', ['runs']), member('b', ['runs'])], counts);
    const after = assignCoPartitioned(
      [
        member('a', ['runs'], ownedBy(before, 'a', 1)),
        member('b', ['runs'], ownedBy(before, 'b', 1)),
        member('c', ['runs']),
      ],
      counts,
    );
    for (const id of ['a', 'b']) {
      expect(namesOf(after, id)).toHaveLength(2);
      expect(namesOf(before, id)).toEqual(expect.arrayContaining(namesOf(after, id)));
    }
  });

  it('believes the later generation when two members claim a partition', () => {
    const owned = (generation: number) => ({ generation, partitions: ['runs/0'] });
    const members = [member('a', ['runs'], owned(3)), member('b', ['runs'], owned(4))];
    const assignment = assignCoPartitioned(members, new Map([['runs', 2]]));
    expect(namesOf(assignment, 'b')).toEqual(['runs/0']);
  });

  it('gives a topic only to members that read it', () => {
    const counts = new Map([
      ['old', 3],
      ['new', 3],
    ]);
    const assignment = assignCoPartitioned([member('a', ['old']), member('b', ['old', 'new'])], counts);
    expect(assignment.get('a')!.get('new')).toBeUndefined();
    expect(assignment.get('b')!.get('new')).toEqual([0, 1, 2]);
  });

  it('assigns each partition once, balanced, and moves nothing when nothing changed', () => {
    const generated = fc.record({
      members: fc.uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 7 }),
      partitions: fc.array(fc.integer({ min: 0, max: 13 }), { minLength: 1, maxLength: 3 }),
    });
    fc.assert(
      fc.property(generated, ({ members, partitions }) => {
        const counts = new Map(partitions.map((count, index) => [`topic-${index}`, count]));
        const topics = [...counts.keys()];
        const first = assignCoPartitioned(
          members.map((id) => member(id, topics)),
          counts,
        );
        const all = members.flatMap((id) => namesOf(first, id));
        const expected = topics.flatMap((topic) =>
          Array.from({ length: counts.get(topic)! }, (_, partition) => `${topic}/${partition}`),
        );
        expect(all.sort()).toEqual(expected.sort());
        const most = Math.max(...partitions);
        for (const id of members) {
          const numbers = new Set(namesOf(first, id).map((name) => name.split('/')[1]));
          expect(numbers.size).toBeLessThanOrEqual(Math.ceil(most / members.length));
          expect(numbers.size).toBeGreaterThanOrEqual(Math.floor(most / members.length));
        }
        const again = assignCoPartitioned(
          members.map((id) => member(id, topics, ownedBy(first, id, 1))),
          counts,
        );
        for (const id of members) expect(namesOf(again, id)).toEqual(namesOf(first, id));
      }),
    );
  });

  it('does not divide what a broker does not know yet: its partitions would have no reader', () => {
    const counts = new Map([['predictions', 4]]);
    const known = (topic: string): number | undefined => counts.get(topic);
    expect(partitionCounts(['predictions'], known)).toEqual(counts);
    expect(() => partitionCounts(['predictions', 'feedback'], known)).toThrow(
      expect.objectContaining({ code: 'UNAVAILABLE', retryable: true }),
    );
  });
});

/** The audit trail runs on a real log; then records or links of it are tampered with, and the verifier names the place. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Log, LogRecord } from '../../../runtime/ports/log.ts';
import { createTestRuntime, eventually, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import { verifyAudit, type VerifyAuditOptions } from '../../../services/audit/verify.ts';
import { auditTrail } from '../../../topologies/audit-trail.ts';

let test: TestRuntime;
const topicsChecked = { topics: ['operations'] } as const satisfies VerifyAuditOptions;

beforeAll(async () => {
  test = await createTestRuntime({ partitions: { operations: 2, audit: 2 } });
  await test.runtime.runTopology(auditTrail('operations'));
  for (let i = 0; i < 400; i++) {
    const data = {
      operationId: `call-${i}`,
      action: 'deploy',
      object: 'diamonds',
      actor: 'tester',
      outcome: 'accepted',
      detail: `call ${i}`,
    };
    await test.runtime.publish([
      { topic: 'operations', type: 'operation-recorded', key: `object-${i}`, partition: i % 2, id: `call-${i}`, data },
    ]);
  }
  await eventually('every call is linked', async () => {
    const { chains } = await verifyAudit(test.runtime.parts.log, test.runtime, topicsChecked);
    return chains.every(({ recordsVerified, recordsUnlinked }) => recordsVerified >= 200 && recordsUnlinked < 3);
  });
});
afterAll(async () => {
  await test.close();
});

/** The same log with some records other than they were. */
function tampered(topic: string, change: (records: readonly LogRecord[]) => readonly LogRecord[]): Log {
  const { log } = test.runtime.parts;
  return new Proxy(log, {
    get(target, name) {
      const own = Reflect.get(target, name) as unknown;
      if (name !== 'read') return typeof own === 'function' ? (own.bind(target) as unknown) : own;
      return async function* (place: { topic: string; partition: number }, range: { from: number; to?: number }) {
        const records: LogRecord[] = [];
        for await (const batch of target.read(place, range)) records.push(...batch);
        yield place.topic === topic && place.partition === 0 ? change(records) : records;
      };
    },
  });
}

const verify = async (log: Log, options: VerifyAuditOptions = topicsChecked) =>
  await verifyAudit(log, test.runtime, options);

/** A copy of a record with one byte of a part flipped. */
function flipped(record: LogRecord, part: 'key' | 'value'): LogRecord {
  const bytes = Buffer.from(record[part] ?? Buffer.alloc(1));
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
  return { ...record, [part]: bytes };
}

const replaced = (
  records: readonly LogRecord[],
  offset: number,
  change: (record: LogRecord) => LogRecord,
): LogRecord[] => records.map((record) => (record.offset === offset ? change(record) : record));

describe('the chain of a topic', () => {
  it('is intact as it was written', async () => {
    const report = await verify(test.runtime.parts.log);
    expect(report).toMatchObject({ intact: true, firstProblem: undefined });
    expect(report.chains.map(({ topic, partition }) => [topic, partition])).toEqual([
      ['operations', 0],
      ['operations', 1],
    ]);
    for (const { links, recordsVerified, linksExpired } of report.chains) {
      expect(links).toBeGreaterThanOrEqual(4);
      expect(recordsVerified).toBeGreaterThanOrEqual(200);
      expect(linksExpired).toBe(0);
    }
  });

  it.each<[string, string, (records: readonly LogRecord[]) => readonly LogRecord[]]>([
    ['a flipped byte of a value', 'records-altered', (records) => replaced(records, 10, (r) => flipped(r, 'value'))],
    ['a flipped byte of a key', 'records-altered', (records) => replaced(records, 10, (r) => flipped(r, 'key'))],
    [
      'another header',
      'records-altered',
      (records) =>
        replaced(records, 10, (r) => ({ ...r, headers: { ...r.headers, ce_source: Buffer.from('/other') } })),
    ],
    [
      'a later time',
      'records-altered',
      (records) => replaced(records, 10, (r) => ({ ...r, timestampMs: r.timestampMs + 86_400_000 })),
    ],
    [
      'two records exchanged',
      'records-altered',
      (records) => {
        const [a, b] = [records[10], records[11]] as [LogRecord, LogRecord];
        const moved = replaced(records, 10, () => ({ ...b, offset: 10 }));
        return replaced(moved, 11, () => ({ ...a, offset: 11 }));
      },
    ],
    ['a record removed', 'records-missing', (records) => records.filter(({ offset }) => offset !== 10)],
    [
      'a record inserted',
      'records-altered',
      (records) => {
        const at = records[10] as LogRecord;
        return [...records.slice(0, 10), at, ...records.slice(10).map((r) => ({ ...r, offset: r.offset + 1 }))];
      },
    ],
  ])('shows %s', async (_, kind, change) => {
    const { intact, firstProblem, chains } = await verify(tampered('operations', change));
    expect(intact).toBe(false);
    expect(firstProblem).toMatchObject({ topic: 'operations', partition: 0, kind });
    expect(firstProblem?.fromOffset).toBeLessThanOrEqual(10);
    expect(firstProblem?.toOffset).toBeGreaterThanOrEqual(10);
    expect(chains[1]?.problems).toEqual([]);
  });

  it('shows that the end of the source was cut off', async () => {
    const log = tampered('operations', (records) => records.filter(({ offset }) => offset < 20));
    const cut = new Proxy(log, {
      get: (target, name) =>
        name === 'endOffsets' ? () => Promise.resolve([20, 1_000]) : (Reflect.get(target, name) as unknown),
    });
    const { firstProblem, chains } = await verify(cut);
    expect(firstProblem).toMatchObject({ partition: 0, kind: 'records-missing' });
    expect(chains[0]?.problems.at(-1)?.message).toMatch(/its last records are gone/);
  });

  it('does not blame records that expired, and still checks that the links continue each other', async () => {
    const starting = (log: Log): Log =>
      new Proxy(log, {
        get: (target, name) =>
          name === 'startOffsets'
            ? (topic: string) => Promise.resolve(topic === 'operations' ? [70, 0] : [0, 0])
            : (Reflect.get(target, name) as unknown),
      });
    const kept = (records: readonly LogRecord[]): readonly LogRecord[] => records.filter(({ offset }) => offset >= 70);
    const { intact, chains } = await verify(starting(tampered('operations', kept)));
    expect(intact).toBe(true);
    expect(chains[0]?.linksExpired).toBeGreaterThan(0);
  });
});

describe('the links themselves', () => {
  /** The audit partition that holds the chain of operations/0, by a change that must be noticed wherever it is. */
  const withLinks = async (
    change: (links: readonly LogRecord[]) => readonly LogRecord[],
    options?: VerifyAuditOptions,
  ) => {
    const { log } = test.runtime.parts;
    const own = new Proxy(log, {
      get(target, name) {
        const value = Reflect.get(target, name) as unknown;
        if (name !== 'read') return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        return async function* (place: { topic: string; partition: number }, range: { from: number; to?: number }) {
          const records: LogRecord[] = [];
          for await (const batch of target.read(place, range)) records.push(...batch);
          if (place.topic !== 'audit') yield records;
          else {
            const chain = records.filter(({ key }) => key?.toString() === 'operations/0');
            yield [
              ...records.filter(({ key }) => key?.toString() !== 'operations/0'),
              ...(chain.length === 0 ? [] : change(chain)),
            ];
          }
        };
      },
    });
    return await verify(own, options);
  };

  it('said twice count once', async () => {
    expect((await withLinks((links) => [...links, ...links])).intact).toBe(true);
  });

  it('that are removed at the front or in the middle are missed', async () => {
    for (const index of [0, 1]) {
      const { firstProblem, chains } = await withLinks((links) => links.filter((_, at) => at !== index));
      expect(firstProblem).toMatchObject({ partition: 0, kind: 'link-broken' });
      const chain = chains.find(({ topic, partition }) => topic === 'operations' && partition === 0);
      expect(chain?.problems).toContainEqual(
        expect.objectContaining({ kind: 'uncovered', fromOffset: 64 * index, toOffset: 64 * index + 63 }),
      );
    }
  });

  it('that are removed at the end leave records without a link', async () => {
    const { firstProblem } = await withLinks(() => [], { ...topicsChecked, recordsUnlinkedMax: 64 });
    expect(firstProblem).toMatchObject({ partition: 0, kind: 'uncovered', fromOffset: 0 });
  });

  it('that are exchanged are found', async () => {
    expect((await withLinks((links) => [...links].reverse())).firstProblem).toMatchObject({ kind: 'link-broken' });
  });

  it('that are edited are found, the last one too', async () => {
    for (const index of [0, 1, -1]) {
      const { firstProblem } = await withLinks((links) =>
        links.map((link) => (link === links.at(index) ? flipped(link, 'value') : link)),
      );
      expect(firstProblem).toMatchObject({ partition: 0 });
    }
  });

  it('that cannot be read are named', async () => {
    const { firstProblem } = await withLinks((links) =>
      links.map((link, at) => (at === 1 ? { ...link, value: Buffer.from([9]) } : link)),
    );
    expect(firstProblem).toMatchObject({ partition: 0, kind: 'link-unreadable' });
  });
});

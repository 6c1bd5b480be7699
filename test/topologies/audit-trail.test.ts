import { describe, expect, it } from 'vitest';
import { header } from '../../runtime/engine/envelope.ts';
import { createTopologyDriver, type TopologyDriver } from '../../runtime/testing/index.ts';
import type { AuditLinked } from '../../schemas/events.ts';
import { auditedTopics, topics } from '../../schemas/topics.ts';
import { chainNext, chainStart, claimHeader, controlHeader, recordDigest } from '../../topologies/audit-chain.ts';
import { auditTrail, auditTrails } from '../../topologies/audit-trail.ts';

const create = async (): Promise<TopologyDriver<'runs'>> =>
  await createTopologyDriver<'runs'>(auditTrail('runs'), { partition: 4 });

function pipe(driver: TopologyDriver<'runs'>, text: string | null, control?: string): void {
  driver.pipeRecord({
    key: Buffer.from('k'),
    value: text === null ? null : Buffer.from(text),
    headers: {
      ce_id: Buffer.from(`id-${text}`),
      ...(control === undefined ? {} : { 'millrace-control': Buffer.from(control) }),
    },
  });
}

const links = (driver: TopologyDriver<'runs'>): AuditLinked[] =>
  driver.takeOutputs().map(({ topic, type, key, data }) => {
    expect([topic, type, key]).toEqual(['audit', 'audit-linked', 'runs/4']);
    return data as AuditLinked;
  });

describe('the audit trail', () => {
  it('has one instance, with a name of its own, for each audited topic, none of them compacted', () => {
    expect(auditTrails.map(({ rawInput }) => rawInput)).toEqual([...auditedTopics]);
    expect(new Set(auditTrails.map(({ name }) => name)).size).toBe(auditedTopics.length);
    for (const { rawInput } of auditTrails) expect(topics[rawInput].cleanup).toBe('delete');
  });

  it('links every 64 records, each link from the digest of the one before', async () => {
    const driver = await create();
    for (let i = 0; i < 128; i++) pipe(driver, `value ${i}`);
    const [first, second, ...more] = links(driver);
    expect(more).toEqual([]);
    expect(first).toMatchObject({
      topic: 'runs',
      partition: 4,
      fromOffset: 0,
      toOffset: 63,
      records: 64,
      previous: chainStart('runs', 4),
    });
    expect(second).toMatchObject({ fromOffset: 64, toOffset: 127, records: 64, previous: first?.digest });
    expect(driver.timerCount()).toBe(0);
  });

  it('says the digest that follows from the records alone', async () => {
    const driver = await create();
    const timeMs = driver.nowMs;
    pipe(driver, 'a');
    pipe(driver, null);
    driver.advance(1_000);
    const record = (offset: number, text: string | null) =>
      recordDigest({
        topic: 'runs',
        partition: 4,
        offset,
        timeMs,
        keyBytes: Buffer.from('k'),
        valueBytes: text === null ? null : Buffer.from(text),
        headers: { ce_id: Buffer.from(`id-${text}`) },
      });
    const digest = chainNext(chainNext(chainStart('runs', 4), record(0, 'a')), record(1, null));
    expect(links(driver)).toMatchObject([{ fromOffset: 0, toOffset: 1, records: 2, digest, timeMs }]);
  });

  it('links what is a second old, and not before', async () => {
    const driver = await create();
    pipe(driver, 'a');
    driver.advance(999);
    expect(links(driver)).toEqual([]);
    driver.advance(1);
    expect(links(driver)).toMatchObject([{ fromOffset: 0, toOffset: 0, records: 1 }]);
    driver.advance(100_000);
    expect(links(driver)).toEqual([]);
  });

  it('chains ticks too, but a tick asks for no link, so an idle partition comes to rest', async () => {
    const driver = await create();
    pipe(driver, 'a');
    driver.advance(1_000);
    pipe(driver, 'tick', 'tick');
    expect(links(driver)).toHaveLength(1);
    expect(driver.timerCount()).toBe(0);
    driver.advance(10_000);
    expect(links(driver)).toEqual([]);
    pipe(driver, 'b');
    driver.advance(1_000);
    expect(links(driver)).toMatchObject([{ fromOffset: 1, toOffset: 2, records: 2 }]);
  });

  it('covers garbage and records without anything', async () => {
    const driver = await create();
    driver.pipeRecord({ key: null, value: null, headers: {} });
    driver.pipeRecord({ key: null, value: Buffer.from([0, 255, 0]), headers: {} });
    driver.advance(1_000);
    expect(links(driver)).toMatchObject([{ records: 2 }]);
    expect(driver.takeDeadLetters()).toEqual([]);
  });

  it('begins a new link where offsets are missing, so that no link claims them', () => {
    const trail = auditTrail('runs');
    let chain: unknown;
    const said: { fromOffset: number; toOffset: number; records: number; previous: string; digest: string }[] = [];
    for (const offset of [0, 1, 2, 70, ...Array.from({ length: 63 }, (_, i) => 71 + i)]) {
      const record = { topic: 'runs', partition: 4, offset, timeMs: 0, keyBytes: null, valueBytes: null, headers: {} };
      const { put, emit } = trail.fold(record, { get: <V>() => chain as V | undefined, range: () => [] });
      chain = put?.[0]?.[1];
      said.push(...(emit ?? []).map(({ data }) => data as (typeof said)[number]));
    }
    expect(said.map(({ fromOffset, toOffset, records }) => [fromOffset, toOffset, records])).toEqual([
      [0, 2, 3],
      [70, 133, 64],
    ]);
    expect(said[1]?.previous).toBe(said[0]?.digest);
  });

  it('goes on from its state as if there had been no restart', async () => {
    const whole = await create();
    const first = await create();
    for (let i = 0; i < 50; i++) for (const driver of [whole, first]) pipe(driver, `${i}`);
    const second = await createTopologyDriver<'runs'>(auditTrail('runs'), { partition: 4, snapshot: first.snapshot() });
    for (let i = 0; i < 50; i++) for (const driver of [whole, second]) pipe(driver, `${50 + i}`);
    for (const driver of [whole, second]) driver.advance(1_000);
    expect(links(second)).toEqual(links(whole));
  });
});

describe('the digest of a record', () => {
  it('knows the headers of the envelope by their names', () => {
    expect([controlHeader, claimHeader]).toEqual([header.control, header.claim]);
  });

  const base = {
    topic: 'runs',
    partition: 0,
    offset: 7,
    timeMs: 1_000,
    keyBytes: Buffer.from('key'),
    valueBytes: Buffer.from('value'),
    headers: { a: Buffer.from('1'), b: Buffer.from('2') },
  };

  it.each([
    ['offset', { offset: 8 }],
    ['time', { timeMs: 1_001 }],
    ['key', { keyBytes: Buffer.from('kez') }],
    ['a key that is missing', { keyBytes: null }],
    ['an empty key', { keyBytes: Buffer.alloc(0) }],
    ['value', { valueBytes: Buffer.from('valuE') }],
    ['no value', { valueBytes: null }],
    ['a byte moved from key to value', { keyBytes: Buffer.from('ke'), valueBytes: Buffer.from('yvalue') }],
    ['header value', { headers: { a: Buffer.from('1'), b: Buffer.from('3') } }],
    ['header name', { headers: { a: Buffer.from('1'), c: Buffer.from('2') } }],
    ['a header less', { headers: { a: Buffer.from('1') } }],
    ['a header more', { headers: { ...base.headers, c: Buffer.alloc(0) } }],
  ])('depends on: %s', (_, change) => {
    expect(recordDigest({ ...base, ...change })).not.toBe(recordDigest(base));
  });

  it('does not depend on the order of headers, nor on whether a claimed value was fetched', () => {
    expect(recordDigest({ ...base, headers: { b: Buffer.from('2'), a: Buffer.from('1') } })).toBe(recordDigest(base));
    const claimed = { ...base, headers: { 'millrace-claim': Buffer.from('hash:5') } };
    expect(recordDigest({ ...claimed, valueBytes: Buffer.alloc(0) })).toBe(recordDigest(claimed));
  });
});

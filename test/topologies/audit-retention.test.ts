import { describe, expect, it } from 'vitest';
import { createTopologyDriver, type TopologyDriver } from '../../runtime/testing/index.ts';
import type { AuditSealed, ExpiryDue } from '../../schemas/events.ts';
import { auditRetention } from '../../topologies/audit-retention.ts';

const dayMs = 86_400_000;
const by = { requestId: 'r', reason: 'the law says so', actor: 'ada' };

/** A trail whose seals are made one after another. */
async function trail() {
  const driver: TopologyDriver<'audit-seals'> = await createTopologyDriver(auditRetention);
  const sequences = new Map<string, number>();
  const seal = (topic = 'predictions', partition = 0): void => {
    const key = `${topic}/${partition}`;
    const sequence = sequences.get(key) ?? 0;
    sequences.set(key, sequence + 1);
    const empty = { previous: '', digest: '', merkleRoot: '', previousSeal: '', keyId: '', signature: '' };
    const data: AuditSealed = {
      ...{ topic, partition, sequence, ...empty, fileHash: `file ${sequence}`, fileBytes: 1, records: 1 },
      ...{ fromOffset: sequence, toOffset: sequence, fromTimeMs: driver.nowMs - 1_000, timeMs: driver.nowMs },
    };
    driver.pipe({ type: 'audit-sealed', key, data });
  };
  const keep = (keepDays: number | null, topic = ''): unknown =>
    driver.pipe({ type: 'retention-set', key: 'audit', data: { ...by, topic, keepDays } });
  const hold = (
    name: string,
    topics: readonly string[] = [],
    sinceMs: number | null = null,
    untilMs: number | null = null,
  ) => driver.pipe({ type: 'hold-placed', key: name, data: { ...by, name, topics: [...topics], sinceMs, untilMs } });
  const release = (name: string): unknown => driver.pipe({ type: 'hold-released', key: name, data: { ...by, name } });
  const due = (): readonly string[] =>
    driver.takeOutputs().map(({ type, key, data }) => {
      expect(type).toBe('expiry-due');
      return `${key} ${(data as ExpiryDue).sequence}`;
    });
  return { driver, seal, keep, hold, release, due };
}

describe('a sealed file of the audit trail', () => {
  it('is kept for ever unless a retention is set', async () => {
    const { driver, seal, due } = await trail();
    seal();
    driver.advance(40_000 * dayMs);
    expect(due()).toEqual([]);
  });

  it('goes when it is as old as its topic is kept, oldest first; a topic of its own has its own retention', async () => {
    const { driver, seal, keep, due } = await trail();
    keep(30);
    keep(90, 'operations');
    seal();
    seal('operations');
    driver.advance(10 * dayMs);
    seal('predictions', 3);
    driver.advance(20 * dayMs - 1);
    expect(due()).toEqual([]);
    driver.advance(1);
    expect(due()).toEqual(['predictions/0 0']);
    driver.advance(10 * dayMs);
    expect(due()).toEqual(['predictions/3 0']);
    driver.advance(50 * dayMs);
    expect(due()).toEqual(['operations/0 0']);
    expect(driver.timerCount()).toBe(0);
  });

  it('goes at once when fewer days are set than it is old, and stays when more are', async () => {
    const { driver, seal, keep, due } = await trail();
    for (let n = 0; n < 450; n++) seal();
    driver.advance(100 * dayMs);
    seal();
    keep(100);
    driver.advance(0);
    expect(due()).toHaveLength(450);
    keep(1);
    keep(null);
    driver.advance(40_000 * dayMs);
    expect(due()).toEqual([]);
  });

  it('stays while any hold is on it, whatever its age, and goes at the end of the last one', async () => {
    const { driver, seal, keep, hold, release, due } = await trail();
    keep(1);
    for (let n = 0; n < 250; n++) seal();
    seal('runs');
    hold('case-17', ['predictions']);
    hold('case-18');
    driver.advance(2 * dayMs);
    expect(due()).toEqual([]);
    release('case-18');
    driver.advance(0);
    expect(due()).toEqual(['runs/0 0']);
    release('case-17');
    driver.advance(0);
    expect(due()).toHaveLength(250);
  });

  it('is under a hold by the times of its records', async () => {
    const { driver, seal, keep, hold, due } = await trail();
    keep(1);
    const start = driver.nowMs;
    for (const _ of [0, 1, 2]) {
      seal();
      driver.advance(60_000);
    }
    hold('case-17', [], start + 30_000, start + 70_000);
    driver.advance(2 * dayMs);
    expect(due()).toEqual(['predictions/0 0', 'predictions/0 2']);
  });

  it('waits for the end of a hold that came after the decision', async () => {
    const { driver, seal, keep, hold, release, due } = await trail();
    keep(1);
    seal();
    driver.advance(dayMs);
    const [said] = driver.takeOutputs();
    const { keepDays, ...span } = said?.data as ExpiryDue;
    expect(keepDays).toBe(1);
    hold('case-17');
    driver.pipe({ type: 'expiry-held', key: 'predictions/0', data: { ...span, hold: 'case-17' } });
    driver.advance(dayMs);
    expect(due()).toEqual([]);
    release('case-17');
    driver.advance(0);
    expect(due()).toEqual(['predictions/0 0']);
  });
});

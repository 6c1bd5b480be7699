import { describe, expect, it } from 'vitest';
import { createTopologyDriver, type TopologyDriver } from '../../runtime/testing/index.ts';
import type { AuditLinked, SealDue } from '../../schemas/events.ts';
import { auditSeals } from '../../topologies/audit-seals.ts';

const hourMs = 3_600_000;

/** Links of 64 records each, one after another. */
function linker(driver: TopologyDriver<'audit'>, topic = 'runs', partition = 4): (links: number) => void {
  let next = 0;
  return (links) => {
    for (let i = 0; i < links; i++) {
      const data: AuditLinked = {
        topic,
        partition,
        fromOffset: next,
        toOffset: next + 63,
        records: 64,
        previous: `digest ${next}`,
        digest: `digest ${next + 64}`,
        timeMs: driver.nowMs,
      };
      next += 64;
      driver.pipe({ type: 'audit-linked', data, key: `${topic}/${partition}` });
    }
  };
}

const due = (driver: TopologyDriver<'audit'>): SealDue[] =>
  driver.takeOutputs().map(({ topic, type, key, data }) => {
    const span = data as SealDue;
    expect([topic, type, key]).toEqual(['audit-seals', 'seal-due', `${span.topic}/${span.partition}`]);
    return span;
  });

describe('seals of the audit trail', () => {
  it('are due each 4,096 records of a chain, one after another without a gap', async () => {
    const driver = await createTopologyDriver(auditSeals);
    const link = linker(driver);
    link(63);
    expect(due(driver)).toEqual([]);
    link(65);
    const [first, second, ...more] = due(driver);
    expect(more).toEqual([]);
    expect(first).toMatchObject({ sequence: 0, fromOffset: 0, toOffset: 4_095, records: 4_096, previous: 'digest 0' });
    expect(second).toMatchObject({ sequence: 1, fromOffset: 4_096, toOffset: 8_191, previous: first?.digest });
    expect(second?.fromTimeMs).toBe(first?.timeMs);
    expect(driver.timerCount()).toBe(0);
  });

  it('are due an hour after the first link of a chain that has none, and not again before there is another', async () => {
    const driver = await createTopologyDriver(auditSeals);
    const link = linker(driver);
    link(1);
    driver.advance(hourMs - 1);
    expect(due(driver)).toEqual([]);
    driver.advance(1);
    expect(due(driver)).toMatchObject([{ sequence: 0, records: 64, toOffset: 63 }]);
    driver.advance(10 * hourMs);
    expect(due(driver)).toEqual([]);
    link(2);
    driver.advance(hourMs);
    expect(due(driver)).toMatchObject([{ sequence: 1, records: 128, fromOffset: 64, toOffset: 191 }]);
  });

  it('keeps chains apart', async () => {
    const driver = await createTopologyDriver(auditSeals);
    linker(driver, 'deployment-events', 0)(1);
    linker(driver, 'runs', 11)(2);
    driver.advance(hourMs);
    const spans = due(driver).map(({ topic, partition, records }) => [topic, partition, records]);
    expect(spans).toEqual([
      ['deployment-events', 0, 64],
      ['runs', 11, 128],
    ]);
  });
});

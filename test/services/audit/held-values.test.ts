/** What a legal hold keeps beside a sealed file: large values, which garbage collection would take once their records have left the log. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestRuntime, eventually, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import type { AuditLinked, AuditSealed } from '../../../schemas/events.ts';
import { collect } from '../../../services/artifact-collector/collect.ts';
import { HeldValues } from '../../../services/audit/held-values.ts';
import { createAuditSealer } from '../../../services/audit/sealer.ts';
import { readSeals } from '../../../services/audit/seals.ts';
import { auditTrail } from '../../../topologies/audit-trail.ts';

const large = 300_000;
let test: TestRuntime;
let value: string;
let seal: AuditSealed;

beforeAll(async () => {
  test = await createTestRuntime({ partitions: { operations: 1, audit: 1, 'audit-seals': 1 } });
  const { runtime } = test;
  await runtime.runTopology(auditTrail('operations'));
  await runtime.runService(createAuditSealer(runtime, undefined));
  const call = { action: 'deploy', object: 'diamonds', actor: 'ada', outcome: 'accepted' };
  const calls = Array.from({ length: 64 }, (_, n) => ({ ...call, operationId: `call-${n}`, detail: '' }));
  const data = [{ ...call, operationId: 'large', detail: 'x'.repeat(large) }, ...calls];
  await runtime.publish(
    data.map((one) => ({
      ...{ topic: 'operations', type: 'operation-recorded', key: 'diamonds', partition: 0 },
      ...{ id: one.operationId, data: one },
    })) as never,
  );
  for await (const page of runtime.parts.blobs.list())
    for (const { hash, sizeBytes } of page) if (sizeBytes > large) value = hash;
  const link = await eventually('it is linked', async () => (await linked())[0]);
  await say('seal-due', { ...link, sequence: 0, fromTimeMs: 0 });
  seal = await eventually('it is sealed', async () => (await readSeals(runtime.parts.log, runtime)).sealed[0]);
}, 30_000);
afterAll(() => test.close());

async function linked(): Promise<readonly AuditLinked[]> {
  const links: AuditLinked[] = [];
  const topic = test.runtime.topic('audit');
  for await (const batch of test.runtime.parts.log.read({ topic, partition: 0 }, { from: 0 }))
    for (const record of batch) links.push((await test.runtime.decode('audit', record)).data);
  return links;
}

async function say(type: string, data: object): Promise<void> {
  const id = test.runtime.parts.ids.next();
  await test.runtime.publish([{ topic: 'audit-seals', type, key: 'operations/0', data, id }] as never);
}

const why = { reason: 'claim of a customer', requestId: 'r', actor: 'ada' };
const hold = (name: string, topics: readonly string[]): Promise<void> =>
  say('hold-placed', { ...why, name, topics, sinceMs: null, untilMs: null });

const runs = {
  expiredRuns: () => Promise.resolve(new Set<string>()),
  async *blobsOfRuns() {},
  incomplete: () => Promise.resolve(undefined),
};
const collected = (dryRun = false) =>
  collect(test.runtime, runs, new HeldValues(test.runtime), { olderThanMs: 0, graceMs: 0, dryRun });
const isThere = async (hash: string): Promise<boolean> => (await test.runtime.parts.blobs.stat(hash)) !== undefined;

describe('a value over 256 KiB', () => {
  it('stays as long as the hold, when its record has left the log', async () => {
    const { log } = test.runtime.parts;
    const topic = test.runtime.topic('operations');
    await collected();
    expect(await isThere(value), 'while its record is on the log').toBe(true);
    const [end = 0] = await log.endOffsets(topic);
    await log.truncateBefore({ topic, partition: 0 }, end);
    expect((await collected(true)).sample, 'held by nobody').toContain(value);
    await hold('case-16', ['runs']);
    expect((await collected(true)).sample, 'of another topic').toContain(value);
    await hold('case-17', ['operations']);
    await collected();
    expect(await isThere(value)).toBe(true);
  });

  it('stays when the hold comes while garbage is being collected', async () => {
    await say('hold-released', { ...why, name: 'case-17' });
    const held = new HeldValues(test.runtime);
    let asked = 0;
    const racing = {
      next: async () => {
        const values = await held.next();
        if (asked++ === 0) await hold('case-18', ['operations']);
        return values;
      },
    };
    await collect(test.runtime, runs, racing, { olderThanMs: 0, graceMs: 0, dryRun: false });
    expect(asked).toBeGreaterThan(1);
    expect(await isThere(value)).toBe(true);
  });

  it('stays, with everything else, while the held file cannot be read', async () => {
    const { blobs } = test.runtime.parts;
    const bytes = await blobs.get(seal.fileHash);
    const path = join(test.directory, 'blobs', seal.fileHash.slice(0, 2), seal.fileHash.slice(2, 4), seal.fileHash);
    await writeFile(path, 'something else');
    await expect(collected()).rejects.toThrow(/seal 0 of operations\/0, which hold 'case-18' keeps, cannot be read/);
    await writeFile(path, bytes);
    expect(await isThere(value)).toBe(true);
  });

  it('goes when the hold is released', async () => {
    await say('hold-released', { ...why, name: 'case-18' });
    await collected();
    expect([await isThere(value), await isThere(seal.fileHash)]).toEqual([false, true]);
  });
});

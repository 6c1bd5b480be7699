import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createTopic, numbers, readAll, record, text } from '../../conformance/log/builders.ts';
import { FaultyFiles } from './faulty-files.ts';
import { createFolder, openLog } from './log-fixture.ts';

describe('an embedded log after a power loss', () => {
  it.each(numbers(1, 25))('has what it acknowledged, with durability disk (seed %i)', async (seed) => {
    const folder = await createFolder();
    const directory = join(folder, 'log');
    const files = new FaultyFiles();
    const random = seededRandom(seed);
    const options = { files, durability: 'disk', segmentBytes: 2_000 } as const;
    let log = await openLog(directory, { ...options, boot: 'boot 0', lock: false });
    const topic = await createTopic(log, { partitions: 2 });
    const acknowledged = [new Map<number, string>(), new Map<number, string>()];
    let next = 0;
    for (const boot of [1, 2, 3]) {
      for (let round = 0; round < 10; round++) {
        const calls = numbers(0, 1 + Math.floor(random() * 5)).map(async () => {
          const batch = numbers(0, 1 + Math.floor(random() * 9)).map(() => {
            next++;
            return record(topic, `${next}${'.'.repeat(next % 90)}`, { partition: next % 2 });
          });
          const offsets = await log.append(batch);
          for (const [index, offset] of offsets.entries())
            acknowledged[batch[index]!.partition]!.set(offset, String(batch[index]!.value));
        });
        // Some rounds are still under way when the power goes.
        const rounds = Promise.allSettled(calls);
        if (round < 9) await rounds;
        else await new Promise((resolve) => setImmediate(resolve));
      }
      const told = acknowledged.map((offsets) => new Map(offsets));
      files.losePower(folder, seed % 3 === 0 ? undefined : (unsynced) => tear(unsynced, random));
      log = await openLog(directory, { ...options, boot: `boot ${boot}`, lock: false });
      for (const partition of [0, 1]) {
        const read = await readAll(log, topic, partition);
        expect(read.map(({ offset }) => offset)).toEqual(numbers(0, read.length));
        for (const [offset, value] of told[partition]!) expect(text(read[offset]!)).toBe(value);
        acknowledged[partition] = new Map(read.map((one) => [one.offset, text(one)]));
      }
    }
  });

  it.each(numbers(1, 25))('opens with a dense prefix, with durability process (seed %i)', async (seed) => {
    const folder = await createFolder();
    const directory = join(folder, 'log');
    const files = new FaultyFiles();
    const random = seededRandom(seed);
    const options = { files, segmentBytes: 20_000, lock: false } as const;
    const log = await openLog(directory, { ...options, boot: 'boot 0' });
    const topic = await createTopic(log);
    await log.append([record(topic, 'v0')]);
    // As the system does by itself after a while.
    files.syncDirectory(folder);
    files.syncDirectory(join(directory, 'topics', topic, '0'));
    for (const up of ['topics', join('topics', topic), '.']) files.syncDirectory(join(directory, up));
    for (const index of numbers(1, 60)) await log.append([record(topic, `v${index}${'.'.repeat(index)}`)]);
    files.losePower(folder, (unsynced) => tear(unsynced, random));
    const reopened = await openLog(directory, { ...options, boot: 'boot 1' });
    const read = await readAll(reopened, topic);
    expect(read.map((one) => text(one).replaceAll('.', ''))).toEqual(
      numbers(0, read.length).map((index) => `v${index}`),
    );
    expect(await reopened.append([record(topic, 'next')])).toEqual([read.length]);
  });

  it('takes back commits beyond the end that is left', async () => {
    const folder = await createFolder();
    const directory = join(folder, 'log');
    const files = new FaultyFiles();
    const log = await openLog(directory, { files, lock: false, boot: 'boot 0', durability: 'process' });
    const topic = await createTopic(log);
    await log.append([record(topic, 'v0')]);
    const owned = await new Promise<void>((resolve, reject) => {
      const subscribing = log.subscribe(
        { topics: [topic], group: 'g' },
        {
          assigned: async () => {
            setImmediate(() => {
              void subscribing.then(({ commit }) => commit([{ topic, partition: 0, offset: 1 }])).then(resolve, reject);
            });
            return [];
          },
          revoked: () => undefined,
          records: () => undefined,
          failed: reject,
        },
      );
    });
    expect(owned).toBeUndefined();
    expect(await log.committed('g', topic)).toEqual([1]);
    await log.close();
    // The journal was synced, the records were not.
    const journal = files.open(join(directory, 'positions.journal'), 'read');
    await files.sync(journal);
    files.syncDirectory(folder);
    files.syncDirectory(directory);
    files.losePower(folder);
    const reopened = await openLog(directory, { files, lock: false, boot: 'boot 1' });
    expect(await reopened.endOffsets(topic)).toEqual([0]);
    expect(await reopened.committed('g', topic)).toEqual([0]);
  });
});

/** Some of the unsynced bytes reached the disk: a part of them, with holes of zeros in blocks of 64 bytes. */
function tear(unsynced: Buffer, random: () => number): Buffer {
  const left = Buffer.from(unsynced.subarray(0, Math.floor(random() * (unsynced.length + 1))));
  for (let at = 0; at < left.length; at += 64) if (random() < 0.2) left.fill(0, at, Math.min(at + 64, left.length));
  return left;
}

/** Mulberry32. */
function seededRandom(seed: number): () => number {
  let state = seed * 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

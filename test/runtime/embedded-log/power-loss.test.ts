import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Log } from '../../../runtime/ports/log.ts';
import { createTopic, numbers, readAll, record, text, topicConfig } from '../../conformance/log/builders.ts';
import { FaultyFiles, FilesWithoutNames, FilesWithoutSync } from './faulty-files.ts';
import { createFolder, openLog } from './log-fixture.ts';

describe('an embedded log after a power loss', () => {
  it.each(numbers(1, 25))('has what it acknowledged, with durability disk (seed %i)', async (seed) => {
    const { acknowledged, lost } = await losePowerThreeTimes(seed, new FaultyFiles());
    expect(acknowledged).toBeGreaterThan(100);
    expect(lost).toEqual([]);
  });

  it.each([new FilesWithoutSync(), new FilesWithoutNames()])(
    'would be found out if it left out syncs (%#)',
    async (files) => {
      const { lost } = await losePowerThreeTimes(3, files);
      expect(lost.length).toBeGreaterThan(0);
    },
  );

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

  it('says so, until the machine restarts, unless it had synced what it acknowledged', async () => {
    for (const durability of ['process', 'disk'] as const) {
      const directory = join(await createFolder(), 'log');
      const said: unknown[] = [];
      // opened twice in each boot; never closed
      for (const boot of [0, 0, 1, 1]) {
        const log = await openLog(directory, { lock: false, boot: `boot ${boot}`, durability });
        said.push(log.lostTail);
      }
      const clean = await openLog(directory, { lock: false, boot: 'boot 1', durability: 'disk' });
      await clean.close();
      const next = await openLog(directory, { lock: false, boot: 'boot 2', durability });
      said.push(next.lostTail);
      const isLost = durability === 'process';
      expect(said).toEqual([false, false, isLost, isLost, false]);
    }
  });

  it('keeps where the partitions ended then, whatever comes behind, until the machine restarts', async () => {
    const directory = join(await createFolder(), 'log');
    const open = (boot: string): ReturnType<typeof openLog> =>
      openLog(directory, { lock: false, boot, durability: 'process' });
    const first = await open('boot 0');
    const topic = await createTopic(first);
    await first.append([record(topic, 'v0'), record(topic, 'v1')]);
    expect(first.recoveredEnds).toEqual({});
    for (const how of ['killed', 'closed', 'closed'] as const) {
      const log = await open('boot 1');
      expect(log.recoveredEnds).toEqual({ [`${topic}/0`]: 2 });
      await log.append([record(topic, 'next')]);
      if (how === 'closed') await log.close();
    }
    expect((await open('boot 2')).recoveredEnds).toEqual({ [`${topic}/0`]: 5 });
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

/** Appends to a log with durability disk, some of it unawaited, while the power goes three times; answers what is missing then. */
async function losePowerThreeTimes(
  seed: number,
  files: FaultyFiles,
): Promise<{ readonly acknowledged: number; readonly lost: readonly string[] }> {
  const folder = await createFolder();
  const directory = join(folder, 'log');
  const random = seededRandom(seed);
  const options = { files, durability: 'disk', segmentBytes: 2_000, lock: false } as const;
  const topic = 'topic';
  const ensure = (log: Log): Promise<void> => log.ensureTopics([topicConfig(topic, { partitions: 2 })]);
  let log = await openLog(directory, { ...options, boot: 'boot 0' });
  await ensure(log);
  const known = [new Map<number, string>(), new Map<number, string>()];
  const lost: string[] = [];
  let acknowledged = 0;
  let next = 0;
  const append = async (): Promise<void> => {
    const batch = numbers(0, 1 + Math.floor(random() * 9)).map(() => {
      next++;
      return record(topic, `${next}${'.'.repeat(next % 90)}`, { partition: next % 2 });
    });
    const offsets = await log.append(batch);
    for (const [index, offset] of offsets.entries())
      known[batch[index]!.partition]!.set(offset, String(batch[index]!.value));
    acknowledged += offsets.length;
  };
  for (const boot of [1, 2, 3]) {
    for (let round = 0; round < 10; round++) {
      const calls = Promise.allSettled(numbers(0, 1 + Math.floor(random() * 5)).map(append));
      // The last round is still under way when the power goes.
      if (round < 9) await calls;
      else await new Promise((resolve) => setImmediate(resolve));
    }
    const told = known.map((offsets) => new Map(offsets));
    files.losePower(folder, seed % 3 === 0 ? undefined : (unsynced) => tear(unsynced, random));
    log = await openLog(directory, { ...options, boot: `boot ${boot}` });
    await ensure(log);
    for (const partition of [0, 1]) {
      const read = await readAll(log, topic, partition);
      expect(read.map(({ offset }) => offset)).toEqual(numbers(0, read.length));
      for (const [offset, value] of told[partition]!)
        if (read[offset] === undefined || text(read[offset]) !== value) lost.push(`${partition}@${offset}`);
      known[partition] = new Map(read.map((one) => [one.offset, text(one)]));
    }
  }
  return { acknowledged, lost };
}

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

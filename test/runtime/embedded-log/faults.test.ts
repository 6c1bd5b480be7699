import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codeOf, createTopic, numbers, readAll, record, records, text } from '../../conformance/log/builders.ts';
import { createHandClock } from '../../conformance/log/embedded-harness.ts';
import { until } from '../../conformance/log/until.ts';
import { FaultyFiles } from './faulty-files.ts';
import { createFolder, openLog, segmentFile } from './log-fixture.ts';

const patient = { deadlineMs: 20_000 };

describe('an embedded log on a disk with faults', () => {
  it('refuses only the calls for which there is no space, and goes on when space returns', async () => {
    const directory = join(await createFolder(), 'log');
    const files = new FaultyFiles();
    const log = await openLog(directory, { files });
    const topic = await createTopic(log, { partitions: 3 });
    await log.append(records(topic, 10));
    files.freeBytes = 5_000;
    const large = numbers(0, 3).map((partition) => record(topic, Buffer.alloc(3_000, 'x'), { partition }));
    const [small, refused, last] = await Promise.allSettled([
      log.append([record(topic, 'small')]),
      log.append(large),
      log.append([record(topic, 'last', { partition: 1 })]),
    ]);
    expect([small.status, refused.status, last.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(refused).toMatchObject({ reason: { code: 'DISK_FULL' } });
    expect(await log.endOffsets(topic)).toEqual([11, 1, 0]);

    files.freeBytes = 0;
    expect(await codeOf(log.append([record(topic, 'none')]))).toBe('DISK_FULL');
    files.freeBytes = Infinity;
    expect(await log.append([record(topic, 'again')])).toEqual([11]);
    await log.close();
    const reopened = await openLog(directory, { files });
    const values = (await readAll(reopened, topic)).map(text);
    expect(values).toEqual([...numbers(0, 10).map((index) => `v${index}`), 'small', 'again']);
    expect(await reopened.endOffsets(topic)).toEqual([12, 1, 0]);
  });

  it('makes room by truncation when there is none, and leaves no half file of a compaction', async () => {
    const directory = join(await createFolder(), 'log');
    const files = new FaultyFiles();
    const clock = createHandClock();
    const problems: unknown[] = [];
    const onProblem = (error: unknown): void => void problems.push(error);
    const options = { clock, cleanIntervalMs: 1, compactBytesMin: 0, segmentBytes: 100, onProblem };
    const log = await openLog(directory, { files, ...options });
    const topic = await createTopic(log, { cleanup: 'compact' });
    for (const index of numbers(0, 20)) await log.append([record(topic, `v${index}`, { key: `k${index % 3}` })]);
    files.freeBytes = 0;
    clock.advance(2);
    await until(patient, 'there was no room to compact', () => Promise.resolve(problems.length > 0));
    const folder = dirname(segmentFile(directory, topic));
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
    const before = readdirSync(folder).length;

    files.freeBytes = 0;
    await log.truncateBefore({ topic, partition: 0 }, 15);
    expect(readdirSync(folder).length).toBeLessThan(before);
    expect(await log.append([record(topic, 'again')])).toEqual([20]);
    await log.close();
    const reopened = await openLog(directory, { files });
    expect(await reopened.startOffsets(topic)).toEqual([15]);
  });

  it('survives a kill at any byte of a write on a full disk', async () => {
    const folder = await createFolder();
    for (const free of numbers(0, 260).filter((bytes) => bytes % 7 === 0)) {
      const directory = join(folder, String(free));
      const files = new FaultyFiles();
      const log = await openLog(directory, { files });
      const topic = await createTopic(log);
      await log.append(records(topic, 3));
      files.freeBytes = free;
      files.failTruncates = true;
      await log.append(records(topic, 5, 'lost')).catch(() => undefined);
      files.failTruncates = false;
      // Nobody closes the log here: another one opens the files as they are.
      const next = await openLog(directory, { lock: false });
      const values = (await readAll(next, topic)).map(text);
      expect(values.slice(0, 3)).toEqual(['v0', 'v1', 'v2']);
      expect([3, 8]).toContain(values.length);
      await next.append([record(topic, 'next')]);
      expect((await readAll(next, topic)).map(text)).toEqual([...values, 'next']);
      await next.close();
    }
  });

  it('writes everything when the system takes only a few bytes at a time', async () => {
    const directory = join(await createFolder(), 'log');
    const files = new FaultyFiles();
    files.writeBytesMax = 13;
    const log = await openLog(directory, { files });
    const topic = await createTopic(log);
    await log.append(records(topic, 50));
    await log.close();
    const reopened = await openLog(directory);
    expect((await readAll(reopened, topic)).length).toBe(50);
  });

  it('undoes a write that failed, and says that it was undone', async () => {
    const directory = join(await createFolder(), 'log');
    const files = new FaultyFiles();
    const log = await openLog(directory, { files });
    const topic = await createTopic(log);
    await log.append([record(topic, 'before')]);
    files.failWrites = true;
    expect(await codeOf(log.append([record(topic, 'failed')]))).toBe('UNAVAILABLE');
    files.failWrites = false;
    expect(await log.append([record(topic, 'after')])).toEqual([1]);
    expect((await readAll(log, topic)).map(text)).toEqual(['before', 'after']);
  });

  it('says that the outcome is unknown when neither the write nor its way back worked', async () => {
    const directory = join(await createFolder(), 'log');
    const files = new FaultyFiles();
    const log = await openLog(directory, { files });
    const topic = await createTopic(log);
    await log.append([record(topic, 'before')]);
    files.freeBytes = 100;
    files.failTruncates = true;
    expect(await codeOf(log.append([record(topic, Buffer.alloc(5_000))]))).toBe('UNKNOWN_OUTCOME');
    files.freeBytes = Infinity;
    expect(await codeOf(log.append([record(topic, 'still')]))).toBe('UNKNOWN_OUTCOME');
    files.failTruncates = false;
    expect(await log.append([record(topic, 'after')])).toEqual([1]);
    await log.close();
    const reopened = await openLog(directory);
    expect((await readAll(reopened, topic)).map(text)).toEqual(['before', 'after']);
  });

  it('says that the outcome is unknown when a sync fails, and shows such records to nobody', async () => {
    const directory = join(await createFolder(), 'log');
    const files = new FaultyFiles();
    const log = await openLog(directory, { files, durability: 'disk', segmentBytes: 300 });
    const topic = await createTopic(log, { partitions: 2 });
    await log.append(records(topic, 3));
    files.failSyncs = true;
    const first = log.append([...records(topic, 20, 'lost'), ...records(topic, 2, 'lost', 1)]);
    const outcome = codeOf(first);
    await new Promise((resolve) => setImmediate(resolve));
    const queued = codeOf(log.append([record(topic, 'queued')]));
    expect(await log.endOffsets(topic)).toEqual([3, 0]);
    expect([await outcome, await queued]).toEqual(['UNKNOWN_OUTCOME', 'UNKNOWN_OUTCOME']);
    files.failSyncs = false;
    expect(await log.append([record(topic, 'after'), record(topic, 'after', { partition: 1 })])).toEqual([3, 0]);
    await log.close();
    const reopened = await openLog(directory);
    expect((await readAll(reopened, topic)).map(text)).toEqual(['v0', 'v1', 'v2', 'after']);
  });

  it('lets many calls share a sync', async () => {
    const files = new FaultyFiles();
    const log = await openLog(join(await createFolder(), 'log'), { files, durability: 'disk' });
    const topic = await createTopic(log);
    await log.append([record(topic, 'first')]);
    const before = files.syncs;
    await Promise.all(numbers(0, 100).map((index) => log.append([record(topic, `v${index}`)])));
    expect(files.syncs - before).toBe(1);
  });
});

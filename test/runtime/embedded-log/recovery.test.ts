import { appendFileSync, copyFileSync, cpSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codeOf, createTopic, numbers, readAll, record, records, text } from '../../conformance/log/builders.ts';
import { createHandClock } from '../../conformance/log/embedded-harness.ts';
import { until } from '../../conformance/log/until.ts';
import { createFolder, openLog, segmentFile } from './log-fixture.ts';

const patient = { deadlineMs: 20_000 };

describe('an embedded log that is opened again', () => {
  it('cuts what a crash left half written, wherever it was cut', async () => {
    const folder = await createFolder();
    const directory = join(folder, 'whole');
    const log = await openLog(directory);
    const topic = await createTopic(log);
    for (const call of numbers(0, 3)) await log.append(records(topic, 2, `${call}-`));
    const size = readFileSync(segmentFile(directory, topic)).length;
    for (const cut of numbers(0, size).filter((at) => at % 5 === 0 || size - at < 3)) {
      const copy = join(folder, `cut-${cut}`);
      cpSync(directory, copy, { recursive: true });
      truncateSync(segmentFile(copy, topic), cut);
      const reopened = await openLog(copy, { lock: false });
      const read = (await readAll(reopened, topic)).map(text);
      const whole = Math.floor((cut * 3) / size);
      expect(read).toEqual(numbers(0, whole).flatMap((call) => [`${call}-0`, `${call}-1`]));
      expect(await reopened.append([record(topic, 'next')])).toEqual([2 * whole]);
      await reopened.close();
    }
  });

  it('cuts garbage at the end', async () => {
    const directory = join(await createFolder(), 'log');
    const log = await openLog(directory);
    const topic = await createTopic(log);
    await log.append(records(topic, 3));
    await log.close();
    appendFileSync(segmentFile(directory, topic), Buffer.alloc(100, 7));
    const reopened = await openLog(directory);
    expect((await readAll(reopened, topic)).length).toBe(3);
    expect(await reopened.append([record(topic, 'next')])).toEqual([3]);
    await reopened.close();
    expect((await readAll(await openLog(directory), topic)).length).toBe(4);
  });

  it('refuses a file that is damaged before its end, and names the file and the byte', async () => {
    const directory = join(await createFolder(), 'log');
    const log = await openLog(directory);
    const topic = await createTopic(log);
    for (const call of numbers(0, 3)) await log.append(records(topic, 2, `${call}-`));
    await log.close();
    const file = segmentFile(directory, topic);
    const bytes = readFileSync(file);
    const batchBytes = bytes.length / 3;
    bytes[batchBytes + 50]! ^= 1;
    writeFileSync(file, bytes);
    // A clean close need not look at every byte: the reader finds the damage.
    const reopened = await openLog(directory);
    await expect(readAll(reopened, topic)).rejects.toMatchObject({
      code: 'CORRUPT',
      details: { file, position: batchBytes },
    });
    await reopened.close();
    writeFileSync(join(directory, 'opened.json'), '{ "boot": "b", "clean": false, "ends": {} }');
    await expect(openLog(directory, { boot: 'b' })).rejects.toMatchObject({
      code: 'CORRUPT',
      details: { file, position: batchBytes },
    });
  });

  it('tells a member about damage', async () => {
    const directory = join(await createFolder(), 'log');
    const log = await openLog(directory, { segmentBytes: 50, tailBytesMax: 0 });
    const topic = await createTopic(log);
    await log.append(records(topic, 2));
    await log.append(records(topic, 2));
    const file = segmentFile(directory, topic);
    const bytes = readFileSync(file);
    bytes[60]! ^= 1;
    writeFileSync(file, bytes);
    const failure = await new Promise((resolve) => {
      void log.subscribe(
        { topics: [topic] },
        { assigned: async () => [], revoked: () => undefined, records: () => undefined, failed: resolve },
      );
    });
    expect(failure).toMatchObject({ code: 'CORRUPT', details: { file } });
  });

  it('remembers what was truncated, and removes files that lie below', async () => {
    const directory = join(await createFolder(), 'log');
    const log = await openLog(directory, { segmentBytes: 100 });
    const topic = await createTopic(log);
    for (const call of numbers(0, 5)) await log.append(records(topic, 4, `${call}-`));
    await log.truncateBefore({ topic, partition: 0 }, 10);
    expect(readdirSync(dirname(segmentFile(directory, topic))).length).toBe(2);
    await log.truncateBefore({ topic, partition: 0 }, 1_000);
    expect(await log.startOffsets(topic)).toEqual([20]);
    await log.close();
    const reopened = await openLog(directory);
    expect(await reopened.startOffsets(topic)).toEqual([20]);
    expect(await reopened.endOffsets(topic)).toEqual([20]);
    expect(await reopened.append([record(topic, 'next')])).toEqual([20]);
  });

  it('finishes a compaction that a crash cut short after its file was in place', async () => {
    const directory = join(await createFolder(), 'log');
    const clock = createHandClock();
    const options = { clock, cleanIntervalMs: 1, compactBytesMin: 0, segmentBytes: 100 };
    const log = await openLog(directory, options);
    const topic = await createTopic(log, { cleanup: 'compact' });
    for (const index of numbers(0, 20)) await log.append([record(topic, `v${index}`, { key: `k${index % 3}` })]);
    const folder = dirname(segmentFile(directory, topic));
    const before = await createFolder();
    cpSync(folder, before, { recursive: true });
    clock.advance(2);
    await until(patient, 'it was compacted', async () => (await readAll(log, topic)).length === 3);
    await log.close();
    const names = readdirSync(folder);
    for (const name of readdirSync(before))
      if (!names.includes(name)) copyFileSync(join(before, name), join(folder, name));
    writeFileSync(join(folder, '00000000000000000000-00000000000000000009.compacted.part'), 'half');
    const reopened = await openLog(directory, options);
    expect((await readAll(reopened, topic)).map(({ offset }) => offset)).toEqual([17, 18, 19]);
    expect(readdirSync(folder).sort()).toEqual(names.sort());
    expect(await reopened.append([record(topic, 'next', { key: 'k' })])).toEqual([20]);
  });

  it('drops tombstones when they are old enough, and keeps one file however often it compacts', async () => {
    const directory = join(await createFolder(), 'log');
    const clock = createHandClock();
    const options = { clock, cleanIntervalMs: 1, compactBytesMin: 0, tombstoneMs: 1_000 };
    const log = await openLog(directory, options);
    const topic = await createTopic(log, { cleanup: 'compact' });
    await log.append([record(topic, 'a', { key: 'a' }), record(topic, null, { key: 'a' })]);
    for (const index of numbers(0, 20)) {
      await log.append(numbers(0, 10).map(() => record(topic, `b${index}`, { key: 'b' })));
      clock.advance(200);
      await until(patient, 'it was compacted', async () => {
        clock.advance(2);
        return (await readAll(log, topic)).filter(({ key }) => String(key) === 'b').length === 1;
      });
    }
    expect((await readAll(log, topic)).map(text)).toEqual(['b19']);
    const names = readdirSync(dirname(segmentFile(directory, topic)));
    expect(names.filter((name) => name.endsWith('.compacted')).length).toBe(1);
    expect(names.length).toBe(2);
  });

  it('refuses names that could be paths, and partitions that a topic does not have', async () => {
    const log = await openLog(join(await createFolder(), 'log'));
    for (const name of ['../up', 'a/b', '', '.', '..', 'ä', 'x'.repeat(250), 'nul\0'])
      expect(await codeOf(log.ensureTopics([{ ...valid, name }]))).toBe('INVALID_ARGUMENT');
    await log.ensureTopics([{ ...valid, name: 'x'.repeat(249) }]);
    expect(await codeOf(log.append([record('x'.repeat(249), 'v', { partition: 1 })]))).toBe('INVALID_ARGUMENT');
    expect(await codeOf(log.append([record('x'.repeat(249), 'v', { partition: -1 })]))).toBe('INVALID_ARGUMENT');
  });

  it('keeps commits through a kill, also when the journal was cut short', async () => {
    const directory = join(await createFolder(), 'log');
    const log = await openLog(directory);
    const topic = await createTopic(log);
    await log.append(records(topic, 9));
    const committed = async (offset: number): Promise<void> => {
      const subscription = await log.subscribe(
        { topics: [topic], group: '../g' },
        { assigned: async () => [], revoked: () => undefined, records: () => undefined, failed: () => undefined },
      );
      await until(patient, 'the commit was taken', async () => {
        await subscription.commit([{ topic, partition: 0, offset }]);
        return (await log.committed('../g', topic))[0] === offset;
      });
      await subscription.close();
    };
    await committed(4);
    await committed(6);
    const journal = join(directory, 'positions.journal');
    truncateSync(journal, readFileSync(journal).length - 1);
    const reopened = await openLog(directory, { lock: false });
    expect(await reopened.committed('../g', topic)).toEqual([4]);
  });
});

const valid = {
  name: 'x',
  partitions: 1,
  cleanup: 'delete',
  recordBytesMax: 1_000,
  replication: 1,
  minInsyncReplicas: 1,
} as const;

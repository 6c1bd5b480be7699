import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { resolveConfiguration } from '../../../runtime/config/resolve.ts';
import { openParts } from '../../../runtime/profiles/open-parts.ts';
import { topics } from '../../../schemas/topics.ts';
import { startPlatform } from '../../../services/all-in-one/platform.ts';

it('a process refuses a log whose topic has other partitions than its catalogue, with both counts, and opens no task', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-partitions-'));
  const flags = { directory, 'http.port': '0', 'log.level': 'silent' };
  const configuration = resolveConfiguration({ flags, environment: {} });
  const { partitions } = topics.predictions;
  const before = await openParts(configuration);
  const predictions = { name: 'predictions', cleanup: 'delete', recordBytesMax: 1_000_000, replication: 1 } as const;
  await before.parts.log.ensureTopics([{ ...predictions, partitions: partitions + 6, minInsyncReplicas: 1 }]);
  await before.close();
  await expect(startPlatform({ configuration })).rejects.toMatchObject({
    code: 'TOPIC_MISMATCH',
    message: expect.stringMatching(new RegExp(`predictions.* ${partitions + 6} .*${partitions}`)),
  });
  const after = await openParts(configuration);
  expect(await after.parts.log.partitions('predictions')).toBe(partitions + 6);
  const task = await after.parts.state.open('feedback-rewards/predictions/0');
  expect(task.position).toBeUndefined();
  await after.close();
  expect(await readdir(directory)).not.toContain('query');
  await rm(directory, { recursive: true, force: true });
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { resolveConfiguration } from '../../../runtime/config/resolve.ts';
import { eventually } from '../../../runtime/testing/index.ts';
import { startPlatform } from '../../../services/all-in-one/platform.ts';
import { roles } from '../../../services/all-in-one/roles.ts';
import { watchers, watcherThread } from '../../../services/all-in-one/watchers.ts';

const directory = await mkdtemp(join(tmpdir(), 'millrace-watchers-'));
const flags = { directory: join(directory, '.millrace'), 'http.port': '0', 'log.level': 'silent' };
const configuration = resolveConfiguration({ environment: {}, flags });
const only = ['run-ends', 'lineage', 'audit-trail-runs'];
afterAll(() => rm(directory, { recursive: true, force: true }));

it('names roles that there are', () => {
  const names = [...roles.map(({ name }) => name), watcherThread];
  expect([...watchers].filter((name) => !names.includes(name))).toEqual([]);
});

it('starts them after the others, and not at all in a process that ends before', async () => {
  const soonOver = await startPlatform({ configuration, only, watchersAfterMs: 3_600_000 });
  await soonOver.ready();
  expect(tasksOf(soonOver)).toEqual(['run-ends']);
  await soonOver.close();

  const longer = await startPlatform({ configuration, only, watchersAfterMs: 1 });
  await eventually('the watchers', () => tasksOf(longer).length === 3);
  await longer.close();
});

function tasksOf({ runtime }: Awaited<ReturnType<typeof startPlatform>>): readonly string[] {
  return [...new Set(runtime.stats().map(({ task }) => task.split('/')[0] ?? ''))];
}

import { existsSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openSqliteQueryStore } from '../../../runtime/adapters/query/sqlite-query-store.ts';
import { eventually } from '../../../runtime/testing/index.ts';
import { put, runChange, runsOf, suiteSchema } from '../../conformance/query-store/query-store-builders.ts';

it('leaves nothing of its log of writes behind a burst, and goes on', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-sqlite-'));
  const file = join(directory, 'store.db');
  const store = await openSqliteQueryStore({ file, schema: suiteSchema });
  const logBytes = (): number => (existsSync(`${file}-wal`) ? statSync(`${file}-wal`).size : 0);
  try {
    // it may be cut in the middle of the burst, when that stands still for a second
    let most = 0;
    for (let batch = 0; batch < 20; batch++) {
      await put(store, ...Array.from({ length: 100 }, (_, n) => runChange(`r${batch}-${n}`)));
      most = Math.max(most, logBytes());
    }
    expect(most).toBeGreaterThan(100_000);
    await eventually('the log is cut', () => logBytes() === 0, 20_000);
    await put(store, runChange('last'));
    expect(await runsOf(store)).toHaveLength(2_001);
  } finally {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  }
});

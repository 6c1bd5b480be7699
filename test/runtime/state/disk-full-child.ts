import { openLmdbStateStore } from '../../../runtime/adapters/state/lmdb-state-store.ts';
import { hasCode } from '../../../runtime/ports/errors.ts';
import { entry } from '../../conformance/state-store/state-store-builders.ts';

/** Run with a limit on the size of files: fills the store's file, and tells what happened in one line of JSON. */
const [, , directory = ''] = process.argv;
const store = await openLmdbStateStore({ directory });
const state = await store.open('t/0');
let position: number | undefined;
let refusedWith = 'nothing';
while (refusedWith === 'nothing' && (position ?? 0) < 1000) {
  const next = (position ?? 0) + 1;
  try {
    await state.commit(position, { position: next, put: [[`k${next}`, Buffer.alloc(50_000, next)]], delete: [] });
    position = next;
  } catch (error) {
    refusedWith = hasCode(error, 'DISK_FULL', 'UNKNOWN_OUTCOME', 'UNAVAILABLE') ? error.code : String(error);
  }
}
// The same owner goes on with a commit that needs less.
const last = position ?? 0;
await state.commit(position, { position: last + 1, put: [entry('small', '1')], delete: ['k1'] });
const [whole, refused] = await state.get([`k${last}`, `k${last + 1}`]);
process.stdout.write(
  `${JSON.stringify({ refusedWith, commits: last, wholeBytes: whole?.length, refused: refused ?? null })}\n`,
);
await store.close();

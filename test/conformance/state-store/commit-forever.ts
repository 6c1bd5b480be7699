import type { StateStore } from '../../../runtime/ports/state-store.ts';

export const crashTask = 'crash/0';
const keyCount = 50;

/** Value of key `k<index>` at a position: each commit at position p writes every key, so that a torn one shows. */
export const valueAt = (index: number, position: number): string => `${position}:${index}`;

/** Commits one position after the other and tells each that was acknowledged, until the process is killed or `stop` says so. */
export async function commitForever(
  store: StateStore,
  tell: (position: number) => void,
  stop = (): boolean => false,
): Promise<void> {
  const state = await store.open(crashTask);
  let position = state.position;
  while (!stop()) {
    const next = (position ?? 0) + 1;
    const put = Array.from({ length: keyCount }, (_, at) => [`k${at}`, Buffer.from(valueAt(at, next))] as const);
    await state.commit(position, { position: next, put, delete: [] });
    position = next;
    tell(next);
  }
}

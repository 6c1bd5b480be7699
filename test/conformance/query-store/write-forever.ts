import type { QueryStore } from '../../../runtime/ports/query-store.ts';
import { runChange, type SuiteTables } from './query-store-builders.ts';

export const crashSource = 'crash/0';
export const rowsPerWrite = 30;

/** Writes batch after batch, each with its number in every row, and tells each position once it is acknowledged. */
export async function writeForever(
  store: QueryStore<SuiteTables>,
  tell: (position: number) => void,
  goesOn: () => boolean = () => true,
): Promise<void> {
  for (let at = 0; goesOn(); at++) {
    const changes = Array.from({ length: rowsPerWrite }, (_, row) => runChange(`${at}-${row}`, { started: at }));
    const move = { source: crashSource, expected: at === 0 ? undefined : at, position: at + 1, marks: '' };
    await store.write({ moves: [move], changes });
    tell(at + 1);
  }
}

/** Which experiments are deleted: their runs count as deleted with them, and are as they were once the experiment is restored. */
import type { Kysely } from 'kysely';
import type { TrackingRows } from './tables.ts';

/** Of these, at most 10,000. */
export async function deletedExperiments(
  database: Kysely<TrackingRows>,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set();
  const deleted = database.selectFrom('experiments').select('id').where('lifecycle', '=', 'deleted');
  return new Set((await deleted.where('id', 'in', ids).execute()).map(({ id }) => id));
}

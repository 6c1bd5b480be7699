/** What became of requests to a webhook. */
import { MillraceError } from '../../../runtime/ports/errors.ts';
import type { DeliveryAttempt, DeliveryPage, DeliverySearch } from '../../../schemas/api/webhooks.ts';
import type { ProvenanceStore } from '../index.ts';

/** Newest first, a page of them. */
export async function findDeliveries(
  { database }: ProvenanceStore,
  { webhook, origin, outcome, limit, cursor }: DeliverySearch,
): Promise<DeliveryPage> {
  let query = database
    .selectFrom('deliveries')
    .select(['fact_offset', 'place', 'data'])
    .where('webhook', '=', webhook)
    .where('origin', '=', origin);
  if (outcome !== undefined) query = query.where('outcome', '=', outcome);
  if (cursor !== undefined) {
    const [offset, place] = placeOf(cursor);
    query = query
      .where('fact_offset', '<=', offset)
      .where((where) => where.or([where('fact_offset', '<', offset), where('place', '<', place)]));
  }
  const found = await query
    .orderBy('fact_offset', 'desc')
    .orderBy('place', 'desc')
    .limit(limit + 1)
    .execute();
  const page = found.slice(0, limit);
  const last = page.at(-1);
  const positions = await database
    .selectFrom('webhook_positions')
    .select('positions')
    .where('webhook', '=', webhook)
    .where('origin', '=', origin)
    .executeTakeFirst();
  return {
    attempts: page.map(({ data }) => JSON.parse(data) as DeliveryAttempt),
    next: found.length > limit && last !== undefined ? `${last.fact_offset}-${last.place}` : null,
    positions: positions === undefined ? null : (JSON.parse(positions.positions) as readonly number[]),
  };
}

/** The newest attempt at an event; undefined when none is known. */
export async function lastAttempt(
  { database }: ProvenanceStore,
  webhook: string,
  origin: string,
  deliveryId: string,
): Promise<DeliveryAttempt | undefined> {
  const row = await database
    .selectFrom('deliveries')
    .select('data')
    .where('delivery_id', '=', deliveryId)
    .where('webhook', '=', webhook)
    .where('origin', '=', origin)
    .orderBy('fact_offset', 'desc')
    .orderBy('place', 'desc')
    .executeTakeFirst();
  return row === undefined ? undefined : (JSON.parse(row.data) as DeliveryAttempt);
}

function placeOf(cursor: string): readonly [offset: number, place: number] {
  const [, offset, place] = /^(\d{1,16})-(\d{1,4})$/.exec(cursor) ?? [];
  if (offset !== undefined && place !== undefined) return [Number(offset), Number(place)];
  throw new MillraceError('INVALID_ARGUMENT', `cursor '${cursor.slice(0, 40)}' is none of a page of this list`);
}

import type { Effects } from '../../runtime/engine/topology.ts';
import { derivedId } from '../../schemas/derived-ids.ts';
import type { ObservationsSampled, WindowTerms } from '../../schemas/events.ts';
import { closedWindow, type Part, piece, type Place, rowsOf, rowsThatFit, sameLayout } from './parts.ts';

/** The first rows of a deployment's version, until they are enough; then only that they were. */
export type ReferenceState =
  | { readonly done: true }
  | { readonly done: false; readonly openedAt: number; readonly parts: readonly Part[] };

/** `from`: the first row of the batch that is not the reference's. Rows of another layout begin it anew. */
export function foldReference(
  key: string,
  before: ReferenceState | undefined,
  batch: ObservationsSampled,
  terms: WindowTerms,
  place: Place,
): { readonly effects: Effects; readonly from: number } {
  if (before?.done === true) return { effects: {}, from: 0 };
  const held =
    before === undefined || !sameLayout(before.parts[0], batch) ? { openedAt: place.timeMs, parts: [] } : before;
  const wanted = Math.min(terms.referenceRows, rowsThatFit(batch));
  const from = Math.min(batch.predictionIds.length, wanted - rowsOf(held.parts));
  const parts = [...held.parts, piece(batch, 0, from)];
  if (rowsOf(parts) < wanted) {
    return { effects: { put: [[key, { done: false, openedAt: held.openedAt, parts }]] }, from };
  }
  const { deployment, deploymentVersion } = batch;
  const about = {
    windowId: derivedId(place.timeMs, 'reference', deployment, deploymentVersion, terms.stream, terms.id),
    openedAt: held.openedAt,
    closedAt: place.timeMs,
    closedBy: 'rows',
    role: 'reference',
    rowsSeen: wanted,
    lateRows: 0,
    startMs: 0,
    endMs: 0,
  };
  const emit = [closedWindow({ deployment, deploymentVersion, terms }, parts, about)];
  return { effects: { put: [[key, { done: true }]], emit, count: { references: 1 } }, from };
}

/** What a worker thread of the explainer runs: one question at a time. */
import { MillraceError, messageOf } from '../../../runtime/ports/errors.ts';
import { answerTasks } from '../answer-tasks.ts';
import { NotAssessable, parseReference, type Reference } from '../reference-sample.ts';
import type { AttributionAnswer, AttributionTask } from './attribution-task.ts';
import { explain } from './explain-row.ts';
import { lackedBlobs } from './route-model.ts';

const references = new Map<string, Reference>();
const referencesMax = 8;

answerTasks<AttributionTask>(async (task): Promise<AttributionAnswer> => {
  const { route, blobs, referenceHash } = task;
  const lacked = [...lackedBlobs(route, blobs)];
  if (!references.has(referenceHash) && !blobs.has(referenceHash)) lacked.push(referenceHash);
  if (lacked.length > 0) return { type: 'blobs-needed', hashes: lacked };
  try {
    return { type: 'explained', explanation: await explain(task, referenceOf(task)) };
  } catch (error) {
    if (error instanceof NotAssessable || error instanceof RangeError)
      return { type: 'refused', code: 'INVALID_ARGUMENT', reason: messageOf(error) };
    if (error instanceof MillraceError) return { type: 'refused', code: error.code, reason: error.message };
    throw error;
  }
});

function referenceOf({ referenceHash, blobs }: AttributionTask): Reference {
  const bytes = blobs.get(referenceHash);
  const known = references.get(referenceHash) ?? parseReference(bytes ?? new Uint8Array());
  references.delete(referenceHash);
  references.set(referenceHash, known);
  for (const oldest of references.keys()) {
    if (references.size <= referencesMax) break;
    references.delete(oldest);
  }
  return known;
}

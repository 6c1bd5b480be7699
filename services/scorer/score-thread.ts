/** What a worker thread of the scorer runs. References are kept, so that fits are made once. */
import { answerTasks } from './answer-tasks.ts';
import { NotAssessable, parseReference, type Reference } from './reference-sample.ts';
import { scoreWindow, type WindowScore, type WindowToScore } from './score-window.ts';

export interface ScoreTask {
  readonly window: WindowToScore;
  readonly referenceHash: string;
  /** Bytes of the reference; left out while the worker may still have it. */
  readonly reference?: Uint8Array;
}

export type ScoreAnswer =
  | { readonly type: 'scored'; readonly score: WindowScore }
  | { readonly type: 'not-assessable'; readonly reason: string }
  /** Ask again with the bytes. */
  | { readonly type: 'reference-needed' };

const references = new Map<string, Reference>();
const referencesMax = 8;

answerTasks<ScoreTask>((task): ScoreAnswer => {
  try {
    const reference = referenceOf(task);
    return reference === undefined
      ? { type: 'reference-needed' }
      : { type: 'scored', score: scoreWindow(task.window, reference) };
  } catch (error) {
    if (error instanceof NotAssessable) return { type: 'not-assessable', reason: error.message };
    throw error;
  }
});

function referenceOf({ referenceHash, reference }: ScoreTask): Reference | undefined {
  const known = references.get(referenceHash) ?? (reference === undefined ? undefined : parseReference(reference));
  if (known === undefined) return undefined;
  // The newest is last.
  references.delete(referenceHash);
  references.set(referenceHash, known);
  for (const oldest of references.keys()) {
    if (references.size <= referencesMax) break;
    references.delete(oldest);
  }
  return known;
}

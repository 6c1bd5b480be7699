/** What a worker thread of the scorer runs. References are kept, so that fits are made once. */
import type { Detector } from '../../schemas/detectors.ts';
import { MillraceError, messageOf } from '../../runtime/ports/errors.ts';
import type { Fit } from '../../topologies/online-drift/run.ts';
import { answerTasks } from './answer-tasks.ts';
import { isOpen, scoreByFitted } from './fitted-detectors.ts';
import { fitOnline, type RowsToFit } from './fit-online.ts';
import { NotAssessable, parseReference, type Reference } from './reference-sample.ts';
import { scoreWindow } from './score-window.ts';
import type { WindowScore, WindowToScore } from './window-score.ts';

export type ScoreTask = {
  readonly detector: Detector;
  /** Of the reference, or of the fitted detector; '': it needs none. */
  readonly referenceHash: string;
  /** Bytes of that; left out while the worker may still have it. */
  readonly reference?: Uint8Array;
} & (
  | { readonly does: 'score'; readonly window: WindowToScore }
  | { readonly does: 'fit'; readonly rows: RowsToFit; readonly seed: string }
);

export type ScoreAnswer =
  | { readonly type: 'scored'; readonly score: WindowScore }
  | { readonly type: 'fitted'; readonly fit: Fit }
  | { readonly type: 'not-assessable'; readonly reason: string }
  /** Ask again with the bytes. */
  | { readonly type: 'reference-needed' };

const references = new Map<string, Reference>();
const referencesMax = 8;
const noReference: Reference = { columns: new Map(), outputs: new Map(), rows: 0, fits: new Map() };

answerTasks<ScoreTask>(async (task): Promise<ScoreAnswer> => {
  try {
    if (task.does === 'score' && task.detector.fittedHash !== undefined) return await byFitted(task, task.window);
    const reference = referenceOf(task);
    if (reference === undefined) return { type: 'reference-needed' };
    return task.does === 'score'
      ? { type: 'scored', score: scoreWindow(task.detector, task.window, reference) }
      : { type: 'fitted', fit: fitOnline(task.detector, task.rows, reference, task.seed) };
  } catch (error) {
    if (error instanceof NotAssessable || error instanceof RangeError || error instanceof MillraceError)
      return { type: 'not-assessable', reason: messageOf(error) };
    throw error;
  }
});

async function byFitted(
  { detector, referenceHash, reference }: ScoreTask,
  window: WindowToScore,
): Promise<ScoreAnswer> {
  if (reference === undefined && !isOpen(referenceHash)) return { type: 'reference-needed' };
  const bytes = reference ?? new Uint8Array();
  return { type: 'scored', score: await scoreByFitted(detector, referenceHash, bytes, window) };
}

function referenceOf({ referenceHash, reference }: ScoreTask): Reference | undefined {
  if (referenceHash === '') return noReference;
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

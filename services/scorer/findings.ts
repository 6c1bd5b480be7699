/** What the scorer says of a window. Ids follow from the window and the detector, so a window that is judged twice has one verdict. */
import type { IdentifiedOutput } from '../../runtime/engine/service.ts';
import { methodOf } from '../../schemas/detector-methods.ts';
import type { Detector } from '../../schemas/detectors.ts';
import { derivedId } from '../../schemas/derived-ids.ts';
import type { WindowClosed } from '../../schemas/events.ts';
import type { WindowScore } from './window-score.ts';

export function findingOf(
  window: WindowClosed,
  detector: Detector,
  referenceHash: string,
  score: WindowScore,
): IdentifiedOutput {
  const { deployment, deploymentVersion, windowId, rows, closedAt } = window;
  const { name, method, target, alpha, correction, minEffectSize, raiseAfter, clearAfter } = detector;
  const methodVersion = methodOf(method).version;
  const findingId = findingIdOf(window, name);
  const about = {
    deployment,
    deploymentVersion,
    windowId,
    findingId,
    referenceHash,
    rows,
    method,
    methodVersion,
    target,
  };
  if (score.finds === 'outliers') {
    const { finds: _, ...found } = score;
    const isFitted = detector.fittedHash !== undefined;
    // A fitted detector has its rate in its file; whatever it was fitted to is named by the run that made it.
    const by = isFitted
      ? { referenceHash: '', detectorHash: referenceHash, falsePositiveRate: 0 }
      : { detectorHash: '', falsePositiveRate: detector.falsePositiveRate };
    const { sources, stream } = window;
    const data = { ...about, ...found, ...by, detector: name, sources, stream };
    const id = derivedId(closedAt, 'outliers', windowId, name);
    return { topic: 'outliers', type: 'outliers-assessed', data, key: deployment, id };
  }
  const { finds: _, ...found } = score;
  const data = {
    ...about,
    ...found,
    alpha,
    correction,
    minEffectSize,
    raiseAfter,
    clearAfter,
    detector: name,
    sources: window.sources,
    stream: window.stream,
    window: window.window,
    openedAt: window.openedAt,
    closedAt,
    closedBy: window.closedBy,
    referenceKind: detector.reference?.kind ?? 'none',
    rowsSeen: window.rowsSeen,
    lateRows: window.lateRows,
    startState: '',
    fitHash: '',
  };
  const id = derivedId(closedAt, 'drift', windowId, name);
  return { topic: 'drift', type: 'drift-assessed', data, key: deployment, id };
}

/** `detector` '': of none of them. */
export function notAssessed(
  window: Pick<WindowClosed, 'deployment' | 'deploymentVersion' | 'windowId' | 'rows' | 'closedAt'>,
  detector: string,
  reason: string,
): IdentifiedOutput {
  const { deployment, deploymentVersion, windowId, rows, closedAt } = window;
  const findingId = detector === '' ? windowId : findingIdOf(window, detector);
  const data = { deployment, deploymentVersion, windowId, rows, reason, findingId, detector };
  const id = derivedId(closedAt, 'drift', windowId, detector);
  return { topic: 'drift', type: 'drift-not-assessed', data, key: deployment, id };
}

function findingIdOf({ windowId, closedAt }: Pick<WindowClosed, 'windowId' | 'closedAt'>, detector: string): string {
  return derivedId(closedAt, 'finding', windowId, detector);
}

/** Diamonds streamed through sampling, windows, scoring and alarms, synchronously: when does the alarm come? */
import { readDiamonds } from '../../../examples/diamonds/data.ts';
import { encodeDiamond, features } from '../../../examples/diamonds/features.ts';
import { referenceSample, splitDiamonds, streamRows } from '../../../examples/diamonds/split.ts';
import { createTopologyDriver } from '../../../runtime/testing/index.ts';
import type { DeploymentDocument } from '../../../schemas/deployment-document.ts';
import type { DriftAssessed, PredictionCompleted, WindowClosed } from '../../../schemas/events.ts';
import { detectorsOf } from '../../../schemas/detectors.ts';
import { monitoringTerms } from '../../../schemas/monitoring-terms.ts';
import { recommendedMonitors, recommendedReferenceRows } from '../../../schemas/recommended-monitors.ts';
import { parseReference } from '../../../services/scorer/reference-sample.ts';
import { scoreWindow } from '../../../services/scorer/score-window.ts';
import { seededRandom } from '../../../statistics/random.ts';
import { driftAlerts } from '../../../topologies/drift-alerts.ts';
import { observationWindows } from '../../../topologies/observation-windows.ts';
import { predictionSampling } from '../../../topologies/prediction-sampling.ts';
import { completed, driftAssessed, idOf, tensor } from '../../topologies/prediction-events.ts';

export interface StreamResult {
  /** Rows sent when the population changed. */
  readonly shiftAt: number;
  /** Rows sent when each alarm was raised. */
  readonly raisedAt: readonly number[];
  readonly windows: number;
  readonly driftedWindowsBefore: number;
}

const partitions = 6;
const rowsPerMs = 5;
/** A request holds several rows, so that fifty streams take little time. */
const rowsPerRequest = 10;
const diamonds = readDiamonds();

/** Streams 10,000 rows (and a part of a window, by seed) as they were trained on, then large stones until there are none. */
export async function streamDiamonds(seed: number): Promise<StreamResult> {
  const split = splitDiamonds(diamonds, { seed });
  const columns = referenceSample(split.train, recommendedReferenceRows, seed).map(({ feature, values }) => ({
    name: feature.name,
    values: Array.from(values),
  }));
  const reference = parseReference(Buffer.from(JSON.stringify({ columns })));
  const document: DeploymentDocument = {
    name: 'diamonds',
    routes: [],
    features,
    feedback: { windowMs: 60_000, reward: 'negative-squared-error' },
    monitors: { ...recommendedMonitors, referenceHash: 'a'.repeat(64) },
  };
  const terms = monitoringTerms(document);
  const { drift } = recommendedMonitors;
  const random = seededRandom(seed);
  const { rows, shiftAt } = streamRows(split.stream, {
    seed,
    generalRows: 10_000 + random.integer(recommendedMonitors.window.rows),
  });

  const samplers = await Promise.all(
    Array.from({ length: partitions }, (_, partition) => createTopologyDriver(predictionSampling, { partition })),
  );
  const windows = await createTopologyDriver(observationWindows);
  const alarms = await createTopologyDriver(driftAlerts);
  const startMs = windows.nowMs;
  const raisedAt: number[] = [];
  let judged = 0;
  let driftedWindowsBefore = 0;

  for (let index = 0; index < rows.length; index += rowsPerRequest) {
    const timeMs = startMs + Math.floor(index / rowsPerMs);
    const request = rows.slice(index, index + rowsPerRequest);
    const sent = index + request.length;
    const values = request.flatMap((diamond) => encodeDiamond(diamond).map(Math.fround));
    const data: PredictionCompleted = completed(index, {
      predictionId: idOf(index),
      rows: request.length,
      inputs: [tensor('input', [request.length, features.length], values)],
      outputs: [
        tensor(
          'price',
          [request.length],
          request.map(({ price }) => price),
        ),
      ],
      terms,
    });
    const sampler = samplers[random.integer(partitions)];
    sampler?.pipe({ type: 'prediction-completed', data, key: `d${index}`, timeMs });
    for (const batch of sampler?.takeOutputs() ?? []) {
      if (batch.type !== 'observations-sampled') continue;
      windows.pipe({ type: batch.type, data: batch.data, key: batch.key, timeMs });
      for (const closed of windows.takeOutputs()) {
        const verdict = judge(closed.data as WindowClosed);
        judged += 1;
        if (verdict.drifted && sent <= shiftAt) driftedWindowsBefore += 1;
        alarms.pipe({ type: 'drift-assessed', data: verdict, key: 'diamonds', timeMs });
        for (const { type } of alarms.takeOutputs()) if (type === 'alert-raised') raisedAt.push(sent);
      }
    }
  }
  return { shiftAt, raisedAt, windows: judged, driftedWindowsBefore };

  function judge({
    rows: windowRows,
    columns: cells,
    outputs,
    predictionIds,
    windowId,
    sources,
  }: WindowClosed): DriftAssessed {
    const detector = detectorsOf(document).find(({ method }) => method === 'tabular');
    if (detector === undefined) throw new Error('the deployment asks for drift');
    const window = { windowId, rows: windowRows, columns: cells, outputs, predictionIds, features };
    const score = scoreWindow(detector, window, reference);
    if (score.finds !== 'drift') throw new Error('it finds drift');
    const { finds: _, ...found } = score;
    return driftAssessed({ windowId, rows: windowRows, sources, ...drift, ...found });
  }
}

/**
 * Rows of predictions as columnar batches for the monitors, one batch per deployment version and source partition: full, or when its
 * first row is a second old.
 *
 * A tensor of one column gives a column under its own name; a tensor `t` of F columns gives `t[0]` … `t[F-1]`, in the order of the
 * request. What a column means is written in the deployment's document (`features`), which the scorer lays beside it. NaN is a missing
 * value; texts that are no numbers count as missing.
 */
import { nothing, type Topology } from '../runtime/engine/topology.ts';
import type { PredictionCompleted } from '../schemas/events.ts';
import { batchWhatWaits, columnsMax, gatherRows, type PendingRows } from './row-batches.ts';
import { tableOf } from './tensor-table.ts';

export const predictionSampling: Topology<'predictions'> = {
  name: 'prediction-sampling',
  version: 2,
  input: 'predictions',
  outputs: ['observations'],
  // A row has no state of its own by which a late repeat would be known.
  idWindow: 10_000,
  summary: 'gathers the rows of predictions into columnar batches per deployment',

  reads(event) {
    return event.type === 'prediction-completed' ? { keys: [keyOf(event.data)] } : {};
  },

  fold(event, state) {
    if (event.type !== 'prediction-completed') return nothing;
    const { deployment, deploymentVersion, predictionId, route, receivedAt, eventTime, terms, rows } = event.data;
    if (!(terms.windowRows > 0)) return { count: { predictionsNotSampled: 1 } };
    const features = tableOf(event.data.inputs, rows);
    const answers = tableOf(event.data.outputs, rows);
    if (features === undefined || answers === undefined || features.names.length + answers.names.length > columnsMax) {
      return { count: { predictionsUnreadable: 1 } };
    }
    const key = keyOf(event.data);
    const happenedAt = eventTime ?? receivedAt;
    const added = Array.from(
      { length: rows },
      (_, row) =>
        [event.offset, predictionId, route, row, happenedAt, features.cells(row), answers.cells(row)] as const,
    );
    const source = {
      stream: 'predictions',
      deployment,
      deploymentVersion,
      window: [terms.windowRows, terms.windowMinRows, terms.windowMaxAgeMs],
      windows: terms.windows.filter(({ stream }) => stream === 'predictions'),
      online: terms.online,
      statisticsEveryMs: terms.statisticsEveryMs,
      statisticsLatenessMs: terms.statisticsLatenessMs,
      features: features.names,
      answers: answers.names,
    } as const;
    return gatherRows(key, state.get<PendingRows>(key), added, source, event);
  },

  onTimer({ name, partition }, state) {
    return batchWhatWaits(name, state.get<PendingRows>(name), partition);
  },
};

const keyOf = ({ deployment, deploymentVersion }: PredictionCompleted): string =>
  `s/${deployment}/${deploymentVersion}`;

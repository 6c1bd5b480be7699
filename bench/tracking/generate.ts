/** Tracked runs and points of metrics as events, written straight to a log: what a server would have written for its clients. */
import type { Runtime } from '../../runtime/engine/runtime.ts';

export const experimentId = '1';
const startMs = 1_700_000_000_000;
const batch = 5_000;

/** So many runs of one experiment, each with three metrics, two parameters and two tags: two events a run. */
export async function writeRuns(runtime: Runtime, runs: number): Promise<void> {
  for (let from = 0; from < runs; from += batch) {
    const count = Math.min(batch, runs - from);
    await runtime.publish(
      Array.from({ length: count }, (_, index) => from + index).flatMap((at) => {
        const runId = idOf(at);
        const begun = {
          runId,
          experimentId,
          name: `run ${at}`,
          userId: `user ${at % 50}`,
          status: 'RUNNING',
          artifactUri: `mlflow-artifacts:/${experimentId}/${runId}/artifacts`,
          startTime: startMs + at,
          tags: { 'mlflow.user': `user ${at % 50}`, stage: at % 7 === 0 ? 'checked' : 'trial' },
          actor: 'ada',
        };
        const metrics = ['rmse', 'mae', 'r2'].map((key, index) => ({
          ...{ key, value: ((at * (7_919 + 2 * index)) % 100_003) / 100_003, timestamp: startMs + at, step: 0 },
          ...{ modelId: null, datasetName: null, datasetDigest: null },
        }));
        const params = { alpha: String(at % 10), depth: String(at % 12) };
        const values = { runId, experimentId, metrics, params, tags: {}, removedTags: [], actor: 'ada' };
        return [
          { topic: 'tracking', type: 'run-begun', data: begun, key: runId, id: `${runId}b` },
          { topic: 'tracking', type: 'values-logged', data: values, key: runId, id: `${runId}v` },
        ] as const;
      }),
    );
  }
}

/** So many points of the metric `loss` of the first run, 1,000 an event. */
export async function writePoints(runtime: Runtime, points: number): Promise<void> {
  const runId = idOf(0);
  for (let from = 0; from < points; from += 1_000) {
    const metrics = Array.from({ length: Math.min(1_000, points - from) }, (_, index) => {
      const step = from + index;
      const nothing = { modelId: null, datasetName: null, datasetDigest: null };
      return { key: 'loss', value: 1 / (step + 1), timestamp: startMs + step, step, ...nothing };
    });
    const data = { runId, experimentId, metrics, params: {}, tags: {}, removedTags: [], actor: 'ada' };
    await runtime.publish([{ topic: 'tracking', type: 'values-logged', data, key: runId, id: `points-${from}` }]);
  }
}

export function idOf(at: number): string {
  return at.toString(16).padStart(32, '0');
}

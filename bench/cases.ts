/** The cases of `run.ts`, in their order. */
export interface Case {
  readonly name: string;
  /** Below this folder. */
  readonly script: string;
  readonly args?: readonly string[];
  /** The least that goes through every line of the script: what it measures then is of no use. */
  readonly small?: readonly string[];
  /** Flags of Node. */
  readonly flags?: readonly string[];
  /** @default 30 */
  readonly minutes?: number;
}

export const cases: readonly Case[] = [
  { name: 'fold, process', script: 'engine-fold.ts', args: ['200000', 'process'], small: ['4000', 'process'] },
  { name: 'fold, disk', script: 'engine-fold.ts', args: ['200000', 'disk'], small: ['4000', 'disk'] },
  { name: 'log, process', script: 'embedded-log.ts', args: ['process', '300000'], small: ['process', '10000'] },
  { name: 'log, disk', script: 'embedded-log.ts', args: ['disk', '300000'], small: ['disk', '10000'] },
  { name: 'handler', script: 'serving/handler.ts', small: ['1'] },
  { name: 'http', script: 'serving/http.ts', small: ['1'] },
  { name: 'graph of 4 nodes', script: 'serving/graph.ts', small: ['1'] },
  { name: 'rolling update', script: 'serving/rolling-update.ts', small: ['2'] },
  { name: 'many models', script: 'serving/many-models.ts', small: ['10'] },
  {
    name: 'streamed predictions, process',
    script: 'streamed-predictions.ts',
    args: ['30000', 'process'],
    small: ['1000', 'process'],
  },
  {
    name: 'streamed predictions, disk',
    script: 'streamed-predictions.ts',
    args: ['30000', 'disk'],
    small: ['1000', 'disk'],
  },
  { name: 'step overhead', script: 'flows/step-overhead.ts', small: ['2'] },
  { name: 'foreach of 1,000', script: 'flows/foreach.ts', args: ['1000'], small: ['20'] },
  { name: 'foreach of 50,000', script: 'flows/foreach.ts', args: ['50000'], small: ['40'] },
  { name: 'resume', script: 'flows/resume.ts', small: ['1'] },
  { name: 'cold run', script: 'flows/cold-run.ts', small: ['1'] },
  { name: 'list of 100,000 runs', script: 'flows/list-runs.ts', small: ['500'] },
  { name: 'projection', script: 'projection.ts', args: ['200000'], small: ['5000'] },
  { name: 'rows to verdicts', script: 'monitoring/pipeline.ts', args: ['1000000'], small: ['20000'] },
  {
    name: 'memory over 10,000,000 rows',
    script: 'monitoring/pipeline.ts',
    args: ['10000000', '--all'],
    small: ['20000', '--all'],
    minutes: 60,
  },
  { name: 'delay of verdicts', script: 'monitoring/delay.ts', small: ['1', '1000'] },
  { name: 'explain with 10,000,000 events', script: 'monitoring/explain.ts', small: ['20000'], minutes: 60 },
  { name: 'monitoring state made anew', script: 'monitoring/rebuild.ts', small: ['3000'], minutes: 60 },
  { name: 'predictions with all consumers', script: 'monitoring/overhead.ts', small: ['20', '2', '1'] },
  { name: 'detectors', script: 'monitoring/detectors.ts', small: ['2000'] },
  { name: 'start-up', script: 'start-up.ts' },
  { name: 'fold, cluster', script: 'cluster/fold.ts', small: ['4000', '1'] },
  { name: 'flows, beside Metaflow', script: 'peers/metaflow.ts', small: ['5'] },
  { name: 'tracking, beside MLflow', script: 'peers/mlflow.ts', small: ['500', '1'] },
  { name: 'tracking, 1,000,000 runs', script: 'tracking/many-runs.ts', minutes: 60, small: ['2000', '1000'] },
  {
    name: 'tracking, history of 1,000,000 points',
    script: 'tracking/history.ts',
    flags: ['--expose-gc'],
    small: ['20000'],
  },
  { name: 'inference, beside MLServer', script: 'peers/mlserver.ts', small: ['1', '1'] },
  { name: 'stateful count, cluster, beside Kafka Streams', script: 'peers/kafka-streams.ts', small: ['5000', '1'] },
];

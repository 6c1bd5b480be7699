/** What each figure is to reach on 2 free cores. Figures without a row are recorded without a verdict. */
export interface Target {
  readonly figure: string;
  readonly least?: number;
  readonly most?: number;
  /** The verdict is on `ratio`, not on `value`. */
  readonly ofRatio?: boolean;
}

export const targets: readonly Target[] = [
  { figure: 'fold feedback-rewards, process', least: 50_000 },
  { figure: 'streamed predictions, monitors and audit on, process', least: 5_000 },
  { figure: 'HTTP infer, 64 connections', least: 0.75, ofRatio: true },
  { figure: 'HTTP, 64 connections, beside MLServer', least: 6, ofRatio: true },
  { figure: 'HTTP, 64 connections, p99', most: 30 },
  { figure: 'HTTP, 1 connection, p50', most: 0.5 },
  { figure: 'gRPC, 64 calls, beside MLServer', least: 4, ofRatio: true },
  { figure: 'memory with iris, beside MLServer', most: 200 },
  { figure: 'graph of 4 nodes, latency of one model', most: 1.5 },
  { figure: 'rolling update, failed requests', most: 0 },
  { figure: 'rolling update, longest gap', most: 1_000 },
  { figure: 'many models, memory of the process', most: 1_024 },
  { figure: 'many models, cold request, p99', most: 100 },
  { figure: 'projection rebuilt', least: 50_000 },
  { figure: 'fold on Kafka and Redis', least: 0.6, ofRatio: true },
  { figure: 'stateful count beside Kafka Streams', least: 0.5, ofRatio: true },
  { figure: 'rows to verdicts of KS and chi-squared', least: 100_000 },
  { figure: 'memory over 10,000,000 rows, growth from a tenth on', most: 32 },
  { figure: 'verdict after the row that completed its window, most', most: 2_000 },
  { figure: 'explain with 10,000,000 events, p99', most: 200 },
  { figure: 'monitoring state of 1,000,000 events made anew', most: 60 },
  { figure: 'prediction with all consumers, p50 more than with none', most: 10 },
  { figure: 'prediction with all consumers, p99 more than with none', most: 2 },
  { figure: 'MMD of 500 × 500 rows, 100 permutations', most: 500 },
  { figure: 'isolation forest scoring', least: 50_000 },
  { figure: 'step overhead, median of 10 steps', most: 5 },
  { figure: 'foreach of 1,000 tasks', least: 300 },
  { figure: 'foreach of 1,000 tasks, on disk', most: 5 },
  { figure: '1,000 of 1,000 artifacts read', most: 300 },
  { figure: 'foreach of 50,000 tasks, resident memory', most: 500 },
  { figure: 'resume, 51 tasks cloned, 2 run', most: 1_000 },
  { figure: 'run of a one-step flow, cold, whole command', most: 1_200 },
  { figure: 'log-metric, 8 clients, beside MLflow', least: 20, ofRatio: true },
  { figure: 'log-batch of 1,000 metrics, beside MLflow', least: 10, ofRatio: true },
  { figure: 'create run, 8 clients, beside MLflow', least: 10, ofRatio: true },
  { figure: 'search of 10000 runs, filter and order, beside MLflow', most: 20 },
  { figure: 'page of 1,000 full runs, beside MLflow', most: 100 },
  { figure: 'tracking server ready, beside MLflow', most: 2_000 },
  { figure: 'tracking server idle, beside MLflow', most: 300 },
  { figure: 'search of 1000000 runs, filter and order, p50', most: 100 },
  { figure: 'tracking projection rebuilt', least: 50_000 },
  { figure: 'metric history of 1,000,000 points, growth of memory', most: 20 },
  { figure: 'first page of 100,000 runs, no filter', most: 100 },
  { figure: 'first page of 100,000 runs, slowest filter', most: 100 },
];

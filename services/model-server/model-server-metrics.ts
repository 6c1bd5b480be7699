/** What the model server counts, as Prometheus reads it. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { type ErrorCode, errorCodes } from '../../runtime/ports/index.ts';
import type { ShadowAnswered } from '../../schemas/events.ts';
import type { Outcome } from './outcomes.ts';
import type { CacheCounts } from './session-cache.ts';

export interface ServerStats {
  readonly inFlight: number;
  /** One for each loaded model. */
  readonly queues: readonly { readonly label: string; readonly waiting: number; readonly rowsMax: number }[];
  /** One for each deployment with limits that was asked. */
  readonly limited: readonly { readonly deployment: string; readonly running: number; readonly waiting: number }[];
  readonly loadedModels: number;
  readonly loadedModelBytes: number;
  readonly modelBytesMax: number;
  readonly cache: CacheCounts;
}

/** The limit that was reached: calls under way in the process, the queue of a model, or one of the deployment's own. */
export type RefusedBy = 'calls' | 'queue' | 'rate' | 'concurrency';

/** Hears of every outcome. */
export type ObserveOutcome = (outcome: Outcome) => void;
/** Hears of every answer of a shadow. */
export type ObserveShadow = (answered: ShadowAnswered) => void;

const latencySeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

export function exportModelServerMetrics(
  registry: Registry,
  stats: () => ServerStats,
): {
  readonly outcome: ObserveOutcome;
  readonly shadow: ObserveShadow;
  readonly queue: (waiting: number) => void;
  readonly refused: (by: RefusedBy) => void;
} {
  const registers = [registry];
  const outcomes = new Counter({
    name: 'millrace_predictions_total',
    help: 'Outcomes of prediction requests; code is empty for completed ones.',
    labelNames: ['deployment', 'route', 'outcome', 'code'],
    registers,
  });
  const durations = new Histogram({
    name: 'millrace_prediction_seconds',
    help: 'From the request to the answer of its model: waiting and running, without publishing.',
    labelNames: ['deployment', 'route'],
    buckets: latencySeconds,
    registers,
  });
  const shadows = new Counter({
    name: 'millrace_shadow_answers_total',
    help: 'Mirrored requests: agreed, differed, failed, timeout or dropped.',
    labelNames: ['deployment', 'shadow', 'outcome'],
    registers,
  });
  gauge('millrace_model_server_in_flight', 'Calls from inside of the process under way.', () => stats().inFlight);
  gauge('millrace_loaded_models', 'Models that are loaded.', () => stats().loadedModels);
  gauge('millrace_loaded_model_bytes', 'Bytes of their files.', () => stats().loadedModelBytes);

  function gauge(name: string, help: string, value: () => number): void {
    const created: Gauge = new Gauge({ name, help, registers, collect: () => created.set(value()) });
  }

  const refusals = new Counter({
    name: 'millrace_predictions_refused_total',
    help: 'Calls that were turned away, by the limit that was reached: calls under way, the queue of a model, rate or concurrency of a deployment.',
    labelNames: ['by'],
    registers,
  });
  byDeployment('running', 'Requests of a deployment with limits that run.', ({ running }) => running);
  byDeployment('waiting', 'Requests of a deployment with limits that wait for their turn.', ({ waiting }) => waiting);
  byModel('millrace_model_queue_requests', 'Requests that wait for a loaded model.', ({ waiting }) => waiting);
  byModel('millrace_model_batch_rows', 'Rows that one call of a model may have.', ({ rowsMax }) => rowsMax);

  function byModel(name: string, help: string, value: (queue: ServerStats['queues'][number]) => number): void {
    const created: Gauge = new Gauge({
      name,
      help,
      labelNames: ['model'],
      registers,
      collect: () => {
        created.reset();
        for (const queue of stats().queues) created.set({ model: queue.label }, value(queue));
      },
    });
  }

  function byDeployment(name: string, help: string, value: (limited: ServerStats['limited'][number]) => number): void {
    const created: Gauge = new Gauge({
      name: `millrace_deployment_${name}_requests`,
      help,
      labelNames: ['deployment'],
      registers,
      collect: () => {
        created.reset();
        for (const limited of stats().limited) created.set({ deployment: limited.deployment }, value(limited));
      },
    });
  }

  const known = exportEstablishedNames(registry, stats);

  const completed = new Map<
    string,
    {
      readonly counter: Counter.Internal;
      readonly histogram: Histogram.Internal<string>;
      readonly known: (seconds: number) => void;
    }
  >();
  const shadow: ObserveShadow = ({ deployment, shadow: route, outcome }) => {
    shadows.inc({ deployment, shadow: route, outcome });
  };
  const outcome: ObserveOutcome = (outcome) => {
    if (outcome.type === 'completed') {
      const { deployment, route, queueMs, runMs } = outcome.data;
      const key = `${deployment}/${route}`;
      let observed = completed.get(key);
      if (observed === undefined) {
        observed = {
          counter: outcomes.labels({ deployment, route, outcome: 'completed', code: '' }),
          histogram: durations.labels({ deployment, route }),
          known: known.succeeded(deployment),
        };
        completed.set(key, observed);
      }
      observed.counter.inc();
      const seconds = (queueMs + runMs) / 1_000;
      observed.histogram.observe(seconds);
      observed.known(seconds);
    } else {
      // What a request says it wants is no label: anyone could make up any number of them.
      const code = outcome.type === 'failed' ? outcome.data.code : 'CONFLICT';
      outcomes.inc({ deployment: '', route: '', outcome: outcome.type, code });
      if (outcome.type === 'failed' && outcome.data.deploymentVersion > 0) known.failed(outcome.data.deployment, code);
    }
  };
  return { outcome, shadow, queue: known.queue, refused: (by) => refusals.inc({ by }) };
}

/**
 * The same under the names that dashboards of Seldon Core 2 and MLServer ask for. A `model` is a deployment; `code` is the status that
 * HTTP has for the outcome.
 */
function exportEstablishedNames(registry: Registry, stats: () => ServerStats) {
  const registers = [registry];
  const counter = (name: string, help: string, labelNames: string[]): Counter =>
    new Counter({ name, help, labelNames, registers });
  const succeeded = counter('model_infer_request_success', 'Requests that a model answered.', ['model']);
  const failed = counter('model_infer_request_failure', 'Requests that a model failed.', ['model']);
  const requests = counter('seldon_model_infer_total', 'Requests by model and status.', ['model', 'code']);
  const seconds = counter('seldon_model_infer_seconds_total', 'Time of requests that were answered.', ['model']);
  const durations = new Histogram({
    name: 'seldon_model_infer_api_seconds',
    help: 'From the request to the answer of its model.',
    labelNames: ['model'],
    buckets: latencySeconds,
    registers,
  });
  const queue = new Histogram({
    name: 'batch_request_queue',
    help: 'Requests that had come together when a model took them.',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500],
    registers,
  });
  const read = (kind: 'counter' | 'gauge', name: string, help: string, value: (stats: ServerStats) => number): void => {
    if (kind === 'gauge') {
      const created: Gauge = new Gauge({ name, help, registers, collect: () => created.set(value(stats())) });
      return;
    }
    const created: Counter = new Counter({
      name,
      help,
      registers,
      collect: () => {
        created.reset();
        created.inc(value(stats()));
      },
    });
  };
  read('gauge', 'seldon_loaded_model_gauge', 'Models in memory.', (of) => of.loadedModels);
  read('gauge', 'seldon_loaded_model_memory_bytes_gauge', 'Bytes of their files.', (of) => of.loadedModelBytes);
  read('gauge', 'seldon_server_replica_memory_capacity_bytes_gauge', 'Most of these.', (of) => of.modelBytesMax);
  read('counter', 'seldon_load_model_counter', 'Models that were loaded.', (of) => of.cache.loads);
  read('counter', 'seldon_unload_model_counter', 'Models that were unloaded by a call.', (of) => of.cache.unloads);
  read('counter', 'seldon_cache_evict_count', 'Models that made room for others.', (of) => of.cache.evictions);
  read('counter', 'seldon_cache_miss_count', 'Uses of models that were not in memory.', (of) => of.cache.misses);
  return {
    succeeded: (model: string): ((seconds: number) => void) => {
      const counters = [succeeded.labels({ model }), requests.labels({ model, code: '200' })];
      const [time, histogram] = [seconds.labels({ model }), durations.labels({ model })];
      return (taken) => {
        for (const each of counters) each.inc();
        time.inc(taken);
        histogram.observe(taken);
      };
    },
    failed: (model: string, code: string): void => {
      failed.inc({ model });
      const { status } = errorCodes[code as ErrorCode] ?? errorCodes.INTERNAL;
      requests.inc({ model, code: String(status) });
    },
    queue: (waiting: number): void => queue.observe(waiting),
  };
}

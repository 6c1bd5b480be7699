/** What the model server counts, as Prometheus reads it. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { ShadowAnswered } from '../../schemas/events.ts';
import type { Outcome } from './outcomes.ts';

export interface ServerStats {
  readonly inFlight: number;
  readonly loadedModels: number;
  readonly loadedModelBytes: number;
}

/** Hears of every outcome. */
export type ObserveOutcome = (outcome: Outcome) => void;
/** Hears of every answer of a shadow. */
export type ObserveShadow = (answered: ShadowAnswered) => void;

const latencySeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

export function exportModelServerMetrics(
  registry: Registry,
  stats: () => ServerStats,
): { readonly outcome: ObserveOutcome; readonly shadow: ObserveShadow } {
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

  const completed = new Map<
    string,
    { readonly counter: Counter.Internal; readonly histogram: Histogram.Internal<string> }
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
        };
        completed.set(key, observed);
      }
      observed.counter.inc();
      observed.histogram.observe((queueMs + runMs) / 1_000);
    } else {
      // What a request says it wants is no label: anyone could make up any number of them.
      const code = outcome.type === 'failed' ? outcome.data.code : 'CONFLICT';
      outcomes.inc({ deployment: '', route: '', outcome: outcome.type, code });
    }
  };
  return { outcome, shadow };
}

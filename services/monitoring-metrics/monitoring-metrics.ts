/**
 * Turns findings into Prometheus series: rewards, errors, drift, outliers and alerts by deployment. The series of a partition lie in the
 * task's state and move with it: a counter goes on after a restart, and of two processes only the owner shows it.
 */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Service, ServiceTask } from '../../runtime/engine/service.ts';
import { families, type MetricFamily, type MetricName } from './families.ts';
import { type MonitoringEvent, samplesOf, type Sample } from './samples.ts';

/** Value by key `["<metric>","<label value>",…]`, of one task. */
type Series = Map<string, number>;

/** The topics that are read. */
type Input = 'rewards' | 'quality' | 'drift' | 'outliers' | 'alerts';

export function createMonitoringMetrics(registry: Registry): Service<Input> {
  const owned = new Map<string, Series>();
  for (const [name, family] of Object.entries(families)) exportFamily(registry, name as MetricName, family, owned);
  return {
    name: 'monitoring-metrics',
    inputs: ['rewards', 'quality', 'drift', 'outliers', 'alerts'],
    outputs: [],
    summary: 'rewards, errors, quality, drift, outliers and alerts as Prometheus series',
    keeps: true,
    async opened(task) {
      owned.set(task.name, await storedSeries(task));
    },
    closed(task) {
      owned.delete(task.name);
    },
    handle(batch, task) {
      const series = owned.get(task.name) ?? new Map<string, number>();
      const changed = new Set<string>();
      for (const { event, meta } of batch) {
        if (event === undefined) continue;
        for (const sample of samplesOf(event as MonitoringEvent, meta.timeMs)) changed.add(apply(series, sample));
      }
      const put: [string, number][] = [];
      const gone: string[] = [];
      for (const key of changed) {
        const value = series.get(key);
        if (value === undefined) gone.push(key);
        else put.push([key, value]);
      }
      return Promise.resolve({ outputs: [], put, delete: gone });
    },
  };
}

async function storedSeries(task: ServiceTask): Promise<Series> {
  const series: Series = new Map();
  for await (const [key, value] of task.entries<number>('')) series.set(key, value);
  return series;
}

function apply(series: Series, { metric, labels, change, value }: Sample): string {
  const key = JSON.stringify([metric, ...labels]);
  if (change === 'remove') series.delete(key);
  else series.set(key, change === 'add' ? (series.get(key) ?? 0) + value : value);
  return key;
}

/** Values are put together when they are scraped: a deployment is one key, so no two tasks have the same series. */
function exportFamily(
  registry: Registry,
  name: MetricName,
  { type, help, labels }: MetricFamily,
  owned: ReadonlyMap<string, Series>,
): void {
  const prefix = `${JSON.stringify([name]).slice(0, -1)},`;
  const options = { name, help, labelNames: [...labels], registers: [registry] };
  const named = (key: string): Record<string, string> => {
    const [, ...values] = JSON.parse(key) as string[];
    return Object.fromEntries(labels.map((label, index) => [label, values[index] ?? '']));
  };
  const each = (use: (labels: Record<string, string>, value: number) => void): void => {
    for (const series of owned.values())
      for (const [key, value] of series) if (key.startsWith(prefix)) use(named(key), value);
  };
  if (type === 'gauge') {
    const gauge: Gauge = new Gauge({
      ...options,
      collect: () => {
        gauge.reset();
        each((of, value) => gauge.set(of, value));
      },
    });
  } else {
    const counter: Counter = new Counter({
      ...options,
      collect: () => {
        counter.reset();
        each((of, value) => counter.inc(of, value));
      },
    });
  }
}

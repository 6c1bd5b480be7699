import { collectDefaultMetrics, Counter, Gauge, type Registry } from 'prom-client';
import type { Runtime, TaskStats } from '../../runtime/engine/runtime.ts';
import type { Health } from './health.ts';

/**
 * Exports whether the process is of use, and what the engine counts, under `millrace_task_*` with the label `task`. Values are read when they are scraped; counters are the
 * committed ones, so they go on after a restart.
 */
export function exportMetrics(registry: Registry, runtime: Runtime, health: Health): void {
  collectDefaultMetrics({ register: registry });
  const ready: Gauge = new Gauge({
    name: 'millrace_ready',
    help: '1 while the process answers /readyz with 200.',
    registers: [registry],
    collect: () => ready.set(health.unready() === undefined ? 1 : 0),
  });
  const gauges: readonly (readonly [name: string, help: string, value: (stats: TaskStats) => number])[] = [
    [
      'lag_records',
      'Records between the position and the end of the partition.',
      (stats) => Math.max(0, stats.endOffset - stats.position),
    ],
    ['queue_records', 'Records delivered and not processed.', (stats) => stats.queuedRecords],
    ['taken_records', 'Records taken and not committed.', (stats) => stats.takenRecords],
    ['waiting_timers', 'Timers that are set.', (stats) => stats.timers],
    [
      'age_seconds',
      'Age of the newest processed record.',
      (stats) => (stats.timeMs === 0 ? 0 : Math.max(0, (Date.now() - stats.timeMs) / 1000)),
    ],
    ['up', '1 while the task runs.', (stats) => (stats.status === 'running' ? 1 : 0)],
    [
      'commit_seconds_sum',
      'Time spent in commits since the start of the process.',
      (stats) => stats.commitMsSum / 1000,
    ],
    ['commits', 'Commits since the start of the process.', (stats) => stats.commits],
  ];
  for (const [name, help, value] of gauges) {
    const gauge: Gauge = new Gauge({
      name: `millrace_task_${name}`,
      help,
      labelNames: ['task'],
      registers: [registry],
      collect: () => {
        gauge.reset();
        for (const stats of runtime.stats()) gauge.set({ task: stats.task }, value(stats));
      },
    });
  }
  const ledger: Counter = new Counter({
    name: 'millrace_task_records_total',
    help: 'The ledger in the committed state: in, folded, repeats, gaps, dead, out and the counters of the topology.',
    labelNames: ['task', 'outcome'],
    registers: [registry],
    collect: () => {
      ledger.reset();
      for (const { task, counters } of runtime.stats()) {
        for (const [outcome, value] of Object.entries(counters)) if (value > 0) ledger.inc({ task, outcome }, value);
      }
    },
  });
}

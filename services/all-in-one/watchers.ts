import { auditTrails } from '../../topologies/audit-trail.ts';

/** The role that the topologies among them are on the local profile. */
export const watcherThread = 'watchers';

/**
 * Names of roles that follow what others do, while nobody waits for them: what happens before they are there, they see when they are. A
 * process that was opened for one command starts them when it is clear that it will be there for a while.
 */
export const watchers: ReadonlySet<string> = new Set([
  'lineage',
  'feedback-rewards',
  'experiments',
  'prediction-sampling',
  'feature-statistics',
  'attribution-sampling',
  'reward-sampling',
  'quality',
  'observation-windows',
  'online-drift',
  'drift-alerts',
  'route-outcomes',
  ...auditTrails.map(({ name }) => name),
  'audit-seals',
  'audit-retention',
  'webhooks',
  'scorer',
  'monitoring-metrics',
  'audit-sealer',
  'egress',
  'log-keeper',
  watcherThread,
]);

/** Every topology of the platform. What `describe` prints, and what a process may run. */
import type { AnyTopology } from '../runtime/engine/topology.ts';
import { attributionSampling } from './attribution-sampling.ts';
import { auditRetention } from './audit-retention.ts';
import { auditSeals } from './audit-seals.ts';
import { auditTrails } from './audit-trail.ts';
import { deployments } from './deployments.ts';
import { driftAlerts } from './drift-alerts.ts';
import { experimentNames } from './experiment-names.ts';
import { experiments } from './experiments.ts';
import { feedbackRewards } from './feedback-rewards.ts';
import { featureStatistics } from './feature-statistics.ts';
import { flowStarts } from './flow-starts.ts';
import { lineage } from './lineage.ts';
import { flowTracking } from './flow-tracking.ts';
import { observationWindows } from './observation-windows.ts';
import { onlineDrift } from './online-drift.ts';
import { predictionSampling } from './prediction-sampling.ts';
import { quality } from './quality.ts';
import { qualityAlerts } from './quality-alerts.ts';
import { registry } from './registry.ts';
import { rewardSampling } from './reward-sampling.ts';
import { routeOutcomes } from './route-outcomes.ts';
import { routeWeights } from './route-weights.ts';
import { runEnds } from './run-ends.ts';
import { runProgress } from './run-progress.ts';
import { stepMemory } from './step-memory.ts';
import { webhooks } from './webhooks.ts';

export const topologies: readonly AnyTopology[] = [
  flowStarts,
  runProgress,
  stepMemory,
  runEnds,
  lineage,
  flowTracking,
  registry,
  experimentNames,
  deployments,
  feedbackRewards,
  experiments,
  predictionSampling,
  attributionSampling,
  rewardSampling,
  quality,
  qualityAlerts,
  observationWindows,
  featureStatistics,
  onlineDrift,
  driftAlerts,
  routeOutcomes,
  routeWeights,
  ...auditTrails,
  auditSeals,
  auditRetention,
  webhooks,
];

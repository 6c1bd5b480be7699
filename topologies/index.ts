/** Every topology of the platform. What `describe` prints, and what a process may run. */
import type { RawTopology, Topology } from '../runtime/engine/topology.ts';
import { auditTrails } from './audit-trail.ts';
import { deployments } from './deployments.ts';
import { driftAlerts } from './drift-alerts.ts';
import { experiments } from './experiments.ts';
import { feedbackRewards } from './feedback-rewards.ts';
import { observationWindows } from './observation-windows.ts';
import { predictionSampling } from './prediction-sampling.ts';
import { registry } from './registry.ts';

export const topologies: readonly (Topology | RawTopology)[] = [
  registry,
  deployments,
  feedbackRewards,
  experiments,
  predictionSampling,
  observationWindows,
  driftAlerts,
  ...auditTrails,
];

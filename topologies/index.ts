/** Every topology of the platform. What `describe` prints, and what a process may run. */
import type { RawTopology, Topology } from '../runtime/engine/topology.ts';
import type { EventTopic } from '../schemas/events.ts';
import { auditTrails } from './audit-trail.ts';
import { deployments } from './deployments.ts';
import { driftAlerts } from './drift-alerts.ts';
import { experiments } from './experiments.ts';
import { feedbackRewards } from './feedback-rewards.ts';
import { observationWindows } from './observation-windows.ts';
import { predictionSampling } from './prediction-sampling.ts';
import { registry } from './registry.ts';

export const topologies: readonly (Topology | RawTopology)[] = [
  folds(registry),
  folds(deployments),
  folds(feedbackRewards),
  folds(experiments),
  folds(predictionSampling),
  folds(observationWindows),
  folds(driftAlerts),
  ...auditTrails,
];

/** Forgets which topic it folds: the engine hands it only events of that one. */
function folds<T extends EventTopic>(topology: Topology<T>): Topology {
  return topology as unknown as Topology;
}

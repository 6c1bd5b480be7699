/**
 * Everything a process can be: each topology and each service by name. `millrace serve <role …>` runs any subset; the all-in-one runs all.
 */
import { join } from 'node:path';
import type { Registry } from 'prom-client';
import type { Configuration } from '../../runtime/config/settings.ts';
import type { Running, Runtime } from '../../runtime/engine/runtime.ts';
import { queryStores } from '../../runtime/profiles/open-query-store.ts';
import type { Health } from './health.ts';
import { topologies } from '../../topologies/index.ts';

export interface RoleContext {
  readonly runtime: Runtime;
  readonly configuration: Configuration;
  readonly metrics: Registry;
  readonly health: Health;
  /** Parts that one role leaves for another in the same process. */
  readonly shared: SharedParts;
}

/** The gateway answers predictions and queries itself when these run beside it. */
export interface SharedParts {
  modelServer?: import('../model-server/model-server.ts').ModelServer;
  provenance?: import('../provenance/index.ts').Provenance;
  url?: string;
  /** host:port of gRPC. */
  grpc?: string | undefined;
  /** How many wait at the gateway for the end of a run. */
  followers?: () => number;
  /** Of the step worker. */
  openLeases?: () => number;
}

export interface Role {
  readonly name: string;
  readonly kind: 'topology' | 'service';
  readonly summary: string;
  start(context: RoleContext): Promise<Running>;
}

/** In the order in which they start; they stop in the reverse order. */
export const roles: readonly Role[] = [
  ...topologies.map(
    (topology): Role => ({
      name: topology.name,
      kind: 'topology',
      summary: topology.summary,
      start: ({ runtime }) => runtime.runTopology(topology),
    }),
  ),
  {
    name: 'provenance',
    kind: 'service',
    summary: 'indexes the log for queries and explanations',
    start: async ({ runtime, configuration, shared }) => {
      const { startProvenance } = await import('../provenance/index.ts');
      const provenance = await startProvenance(
        runtime,
        queryStores(configuration, 'query'),
        join(configuration.directory, 'query'),
      );
      shared.provenance = provenance;
      return { ready: () => provenance.projection.ready(), close: () => provenance.close() };
    },
  },
  {
    name: 'trigger-matcher',
    kind: 'service',
    summary: 'admits events to the flows that wait for them',
    start: async ({ runtime }) => {
      const { createTriggerMatcher } = await import('../trigger-matcher/trigger-matcher.ts');
      return await runtime.runService(await createTriggerMatcher(runtime));
    },
  },
  {
    name: 'scheduler',
    kind: 'service',
    summary: 'says which slots of schedules have passed',
    start: async ({ runtime }) => {
      const { createScheduler } = await import('../scheduler/scheduler.ts');
      return await runtime.runService(createScheduler(runtime));
    },
  },
  {
    name: 'alias-follower',
    kind: 'service',
    summary: 'tells deployments that follow an alias that it has moved, and rollouts that they do not get it',
    start: async ({ runtime }) => {
      const { startAliasFollower } = await import('../alias-follower/alias-follower.ts');
      return await startAliasFollower(runtime);
    },
  },
  {
    name: 'feedback-admission',
    kind: 'service',
    summary: 'admits feedback to the partition of its prediction',
    start: async ({ runtime, configuration }) => {
      const { createFeedbackAdmission } = await import('../feedback-admission/feedback-admission.ts');
      return await runtime.runService(createFeedbackAdmission({ runtime, waitMs: configuration['feedback.wait_ms'] }));
    },
  },
  {
    name: 'step-worker',
    kind: 'service',
    summary: 'runs the steps of flows of one compute class',
    start: async (context) => {
      const { startStepWorkerRole } = await import('./start-step-worker.ts');
      return await startStepWorkerRole(context);
    },
  },
  {
    name: 'model-server',
    kind: 'service',
    summary: 'answers prediction requests',
    start: async (context) => {
      const { startModelServerRole } = await import('./start-model-server.ts');
      return await startModelServerRole(context);
    },
  },
  {
    name: 'scorer',
    kind: 'service',
    summary: 'computes drift, outliers and rewards, and explains predictions, in worker threads',
    start: async ({ runtime }) => {
      const { startScorerRole } = await import('./start-scorer.ts');
      return await startScorerRole(runtime);
    },
  },
  {
    name: 'monitoring-metrics',
    kind: 'service',
    summary: 'rewards, errors, drift, outliers and alerts as Prometheus series',
    start: async ({ runtime, metrics }) => {
      const { createMonitoringMetrics } = await import('../monitoring-metrics/monitoring-metrics.ts');
      return await runtime.runService(createMonitoringMetrics(metrics));
    },
  },
  {
    name: 'audit-sealer',
    kind: 'service',
    summary: 'puts linked records of the audited topics into sealed files',
    start: async ({ runtime, configuration }) => {
      const { createAuditSealer } = await import('../audit/sealer.ts');
      const { sealSigner } = await import('../audit/seal-statement.ts');
      const key = configuration['audit.signing_key'];
      return await runtime.runService(createAuditSealer(runtime, key === '' ? undefined : sealSigner(key)));
    },
  },
  {
    name: 'egress',
    kind: 'service',
    summary: 'sends events to webhooks, signed, again until they are taken',
    start: async ({ runtime, configuration }) => {
      const { startEgress } = await import('../egress/egress.ts');
      const { egressParts } = await import('./egress-parts.ts');
      return await startEgress({
        runtime,
        ...egressParts(configuration),
        attemptsMax: configuration['webhooks.attempts'],
        backoffMs: configuration['webhooks.backoff_ms'],
      });
    },
  },
  {
    name: 'log-keeper',
    kind: 'service',
    summary: 'deletes what every reader has behind it, keeps the last row of each key the newest',
    start: async ({ runtime, configuration }) => {
      const { startLogKeeper } = await import('../log-keeper/log-keeper.ts');
      return await startLogKeeper({
        runtime,
        topologies,
        deletes: configuration['log.delete_read'],
        keepMs: configuration['log.keep_days'] * 86_400_000,
      });
    },
  },
  {
    name: 'gateway',
    kind: 'service',
    summary: 'HTTP: the API, the Open Inference Protocol, CloudEvents, metrics and probes',
    start: async (context) => {
      const { startGatewayRole } = await import('./start-gateway.ts');
      return await startGatewayRole(context);
    },
  },
];

export {
  Client,
  connect,
  type BundledFlow,
  type DeployedFlow,
  type DeployedVersion,
  type Feedback,
  type FlowDeployOptions,
  type ModelSummary,
  type MutationOptions,
  type PerRow,
  type ResumeOptions,
  type ShownDeployment,
  type ShownModel,
  type StatisticsFilter,
} from './client.ts';
export type {
  Backfill,
  BackfillRange,
  ResumedRun,
  StartedRun,
} from './production.ts';
export { DataArtifact, Flow, Run, Step, Task } from './past-runs.ts';
export type { ArtifactFilter, RunFilter, TaskFilter } from './run-filter.ts';
export type { ConnectOptions } from './http-caller.ts';
export type { ClientTensor, PredictInput, Prediction, PredictOptions } from './predictions.ts';
export type { RequestFilter } from './request-filter.ts';
export type { FeatureOverTime, FeatureStatistics, ValueSummary } from '../../schemas/api/feature-statistics.ts';
export type { CountedTraffic, LoggedColumn, LoggedRequest, RequestPage } from '../../schemas/api/request-log.ts';
export type { RolloutAction } from './routing.ts';
export type { ShownPrediction, SubmittedPrediction } from '../../schemas/api/predictions.ts';
export type { AttributionOptions } from './attributions.ts';
export type { Attribution, ComputedAttribution, RefusedAttribution } from '../../schemas/api/attributions.ts';
export type { SubscribeOptions, Subscription, TopicEvent } from './subscription.ts';
export type { DeadLetter, TaskSummary } from './maintenance.ts';
export type { CardChoice, CardSummary, LineFilter } from './run-output.ts';
export type {
  DeploymentStatus,
  DeploymentVersion,
  RouteExplanation,
  ShownRollout,
  ShownRoutes,
} from '../../schemas/api/deployments.ts';
export type {
  ComparedDistribution,
  DriftReplay,
  Finding,
  OperationSummary,
  ShownDrift,
} from '../../schemas/api/findings.ts';
export type {
  FlowAction,
  HypotheticalOutcome,
  ShownFlow,
  SlotOutcome,
  TriggerExplanation,
  TriggerOutcome,
} from '../../schemas/api/flows.ts';
export type {
  ArtifactSummary,
  EndOfLines,
  RunSummary,
  ShownRun,
  ShownCheckpoint,
  ShownTask,
  StepLine,
  WrittenArtifact,
} from '../../schemas/api/runs.ts';
export type { ArtifactEntry, Experiment, MetricPoint, RunSearch, TrackedRun, ViewType } from './tracking.ts';
export type { AliasRuleDocument, AliasRuleShown, RegistryAt, RegistryMove } from '../../schemas/api/registry.ts';
export type { RegisteredModel, RegisteredVersion } from './registry.ts';
export type { Column, ModelCard } from './model-card.ts';
export type { RunUses } from './run-uses.ts';
export type { AuditEntry, AuditVerification, HoldBounds, RetentionChange, Seals } from '../../schemas/api/audit.ts';
export type { AuditEntryFilter, Redaction } from './audit.ts';
export type { CollectionOptions, CollectionReport } from '../../schemas/api/collection.ts';
export type {
  CreatedWebhook,
  DeliveryAttempt,
  Webhook,
  WebhookDeliveries,
  WebhookTest,
} from '../../schemas/api/webhooks.ts';
export type { WebhookChange, WebhookOptions } from './webhooks.ts';
export type { QualityNumber, QualitySearch, QualityWindow, RewardFailures } from '../../schemas/api/quality.ts';
export type { OutputDifference, PredictionReplay } from '../../schemas/api/prediction-replay.ts';

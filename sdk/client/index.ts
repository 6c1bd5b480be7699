export {
  Client,
  connect,
  type BundledFlow,
  type DeployedFlow,
  type DeployedVersion,
  type DeploymentStatus,
  type DeploymentVersion,
  type Feedback,
  type FlowDeployOptions,
  type ArtifactSummary,
  type ModelSummary,
  type MutationOptions,
  type ResumeOptions,
  type RunSummary,
  type ShownDeployment,
  type ShownModel,
  type ShownRun,
  type ShownTask,
} from './client.ts';
export type {
  Backfill,
  BackfillRange,
  FlowAction,
  HypotheticalOutcome,
  ShownFlow,
  SlotOutcome,
  StartedRun,
  TriggerExplanation,
  TriggerOutcome,
} from './production.ts';
export { DataArtifact, Flow, Run, Step, Task, type WrittenArtifact } from './past-runs.ts';
export type { ArtifactFilter, RunFilter } from './run-filter.ts';
export type { ConnectOptions } from './http-caller.ts';
export type { ClientTensor, PredictInput, Prediction, PredictOptions } from './predictions.ts';
export type { RolloutAction, RouteExplanation, ShownRollout, ShownRoutes } from './routing.ts';
export type { SubscribeOptions, Subscription, TopicEvent } from './subscription.ts';
export type { AuditVerification, DeadLetter, Finding, OperationSummary, TaskSummary } from './maintenance.ts';
export type { CardChoice, CardSummary, EndOfLines, LineFilter, StepLine } from './run-output.ts';

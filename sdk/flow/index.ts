export { flow } from './flow.ts';
export type { Branched, BranchArtifacts, BranchRun, Chain, FlowHead } from './chain.ts';
export type {
  ArtifactsOf,
  FlowOptions,
  JoinContext,
  Merge,
  Models,
  NewModelVersion,
  ParameterOptions,
  StepContext,
  StepOptions,
} from './types.ts';
export type {
  Duration,
  EventFilter,
  OnAll,
  OnAny,
  OnEventOptions,
  OnFinishOptions,
  ScheduleOptions,
  TriggerMember,
  ValuePath,
} from './triggers.ts';

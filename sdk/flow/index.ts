export { flow } from './flow.ts';
export { artifact, type ArtifactKind, type Leavings, type LeftBy } from './artifact-kinds.ts';
export { ArrowTable } from '../../schemas/codec/artifact-value.ts';
export { NdArray } from '../../schemas/codec/npy.ts';
export type { Command, ProgramOptions, PythonProgram, Word, Words } from './program-types.ts';
export { MergeConflictError, MergeMissingError } from './merge.ts';
export type { Body, BodyArtifacts, BodyInput, Branched, Chain, Collected, FlowHead } from './chain.ts';
export type {
  ArtifactsOf,
  FlowOptions,
  GangContext,
  GangOptions,
  JoinContext,
  MemoiseOptions,
  Merge,
  Models,
  NewModelVersion,
  ParameterOptions,
  RepeatOptions,
  RunEnd,
  StackFrame,
  StepContext,
  StepFailure,
  StepOptions,
  Tags,
} from './types.ts';
export type {
  Duration,
  EventFilter,
  OnAll,
  OnAny,
  OnEventOptions,
  OnAlertOptions,
  OnFinishOptions,
  ScheduleOptions,
  TriggerMember,
  ValuePath,
} from './triggers.ts';
export type { Checkpoints } from './checkpoints.ts';
export { card, type Appended, type CardComponent, type Cards } from './cards.ts';

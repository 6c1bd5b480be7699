export { flow } from './flow.ts';
export { artifact, type ArtifactKind, type Leavings, type LeftBy } from './artifact-kinds.ts';
export { ArrowTable } from '../../schemas/codec/artifact-value.ts';
export { NdArray } from '../../schemas/codec/npy.ts';
export type { Command, ProgramOptions, PythonProgram, Word, Words } from './program-types.ts';
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

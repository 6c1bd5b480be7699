/** Tracked runs, from the program that trains. */
export { RunLogger, type DatasetSource, type Status } from './run-logger.ts';
export { attachRun, startRun, type StartRunOptions, syncSpool, type SyncedRun } from './start-run.ts';
export type { AutologOptions, LabelledRows, RowMatrix, TrainedModel } from './autolog.ts';
export type { Curve } from './figures.ts';
export type { StepTracking } from './step-tracking.ts';

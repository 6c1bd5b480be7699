import type { Artifact, RunRequested } from '../../schemas/events.ts';
import {
  artifactDataset,
  errorMessage,
  facet,
  type Facets,
  type Job,
  jobType,
  ownFacet,
  type RunEvent,
  runEvent,
  uuidOf,
} from './open-lineage.ts';

/** What is kept of an open run. */
export interface ToldRun {
  readonly job: Job;
  readonly version: number;
  readonly bundleHash: string;
  readonly actor: string;
  readonly cause: string;
  readonly slotMs: number | null;
  /** The run that it resumes. */
  readonly resumes: string | null;
}

/** A branch of a project is a namespace of jobs. */
export function toldRunOf({
  flow,
  version,
  bundleHash,
  actor,
  cause,
  systemTags,
  slotMs = null,
  resume = null,
}: RunRequested): ToldRun {
  const branch = tagOf(systemTags, 'project_branch');
  const project = tagOf(systemTags, 'project');
  const namespace = project === undefined || branch === undefined ? 'millrace' : `millrace.${project}.${branch}`;
  const prefix = `${project}.${branch}.`;
  const name = flow.startsWith(prefix) ? flow.slice(prefix.length) : flow;
  const resumes = resume?.runId ?? null;
  return { job: { namespace, name }, version, bundleHash, actor, cause: cause.kind, slotMs, resumes };
}

function tagOf(tags: readonly string[], name: string): string | undefined {
  return tags.find((tag) => tag.startsWith(`${name}:`))?.slice(name.length + 1);
}

export function runStarted(run: ToldRun, runId: string, timeMs: number): RunEvent {
  return runEvent('START', timeMs, aboutRun(run, runId));
}

export interface RunEnd {
  readonly eventType: 'COMPLETE' | 'FAIL' | 'ABORT';
  readonly message?: string;
  /** Of the last step: the result of the run. */
  readonly artifacts?: readonly Artifact[];
}

export function runEnded(run: ToldRun, runId: string, end: RunEnd, timeMs: number): RunEvent {
  const { eventType, message, artifacts = [] } = end;
  const outputs = artifacts.map((artifact) => artifactDataset(run.job, artifact));
  const failure = message === undefined ? {} : { errorMessage: errorMessage(message) };
  return runEvent(eventType, timeMs, { ...aboutRun(run, runId, failure), outputs });
}

function aboutRun(run: ToldRun, runId: string, facets: Facets = {}): Pick<RunEvent, 'run' | 'job'> {
  const { job, version, bundleHash, actor, cause, slotMs, resumes } = run;
  const known = { runId, version, bundleHash, actor, cause, ...(resumes === null ? {} : { resumes }) };
  const nominal =
    slotMs === null
      ? {}
      : { nominalTime: facet('NominalTimeRunFacet', '1-0-1', { nominalStartTime: new Date(slotMs).toISOString() }) };
  return {
    run: { runId: uuidOf(runId), facets: { millrace_run: ownFacet('run', known), ...nominal, ...facets } },
    job: { ...job, facets: { jobType: jobType('FLOW') } },
  };
}

import type { Reads } from '../../runtime/engine/topology.ts';
import type { Artifact, Cause, Pack, Split, TaskInput } from '../../schemas/events.ts';
import { type FlowGraph, flowLimits } from '../../schemas/flow-graph.ts';
import { prefixesOfId } from '../../schemas/graph-index.ts';

/** What a run needs to go on; kept small because every accepted task rewrites it. */
export interface RunState {
  readonly status: 'running' | 'completed' | 'failed' | 'cancelled';
  readonly flow: string;
  readonly startedAt: number;
  readonly actor: string;
  /** Tasks that are dispatched, started, held or wait for a retry. */
  readonly open: number;
  /** Tasks of steps so far. */
  readonly opened: number;
  /** Points that hold walks back because enough is under way, newest last: inner ones go first, so few are open at once. */
  readonly ready: readonly string[];
  /** A `walk-resumed` is on its way. */
  readonly resuming: boolean;
  /** It is resumed in place and begins when what its walks left is swept. */
  readonly sweeping?: boolean;
  /** Why it ended, for its exit hook. */
  readonly end?: { readonly step: string; readonly kind: string; readonly message: string };
}

/** What a walk of a scope has added. Absent: nothing yet. */
export interface WalkState {
  readonly artifacts: readonly Artifact[];
  /** A join happened here: what was visible before it is gone. */
  readonly cut: boolean;
  /** Of a resumed run: a task of this walk was run again, so whatever follows is, too. */
  readonly rerun?: boolean;
}

/** Bytes of a state value come back bare; events want them as buffers. */
export function revived(artifacts: readonly Artifact[]): readonly Artifact[] {
  if (artifacts.every(({ inline = null }) => inline === null || Buffer.isBuffer(inline))) return artifacts;
  return artifacts.map((artifact) => {
    const { inline = null } = artifact;
    if (inline === null) return artifact;
    const { buffer, byteOffset, length } = inline;
    return { ...artifact, inline: Buffer.from(buffer, byteOffset, length) };
  });
}

/** A branch, foreach or gang whose walks are under way. */
export interface PointState {
  /** Walks in all. */
  readonly size: number;
  /** The first one that has not begun. */
  readonly next: number;
  /** Walks that ended well. */
  readonly done: number;
  /** Chunks of results that were packed. */
  readonly packed: number;
  /** Of a resumed run: a task of one of its walks was run again. */
  readonly rerun?: boolean;
  readonly gang?: GangState;
}

export interface GangState {
  /** From 1; each is a dispatch of all members. */
  readonly round: number;
  /** Rounds since the last one that assembled. */
  readonly vain: number;
  /** Ranks that have started in this round. */
  readonly started: readonly number[];
  readonly address: string;
  readonly assembled: boolean;
}

/** Results of walks by their place in the chunk; null until the walk ends. */
export type Chunk = readonly (readonly Artifact[] | null)[];

/** Results that lie together: one value of the state while they come in, one blob afterwards. */
export const chunkSize = 64;

/** What a join gets, kept until it is accepted. */
export interface JoinInputs {
  readonly inputs: readonly TaskInput[];
  readonly packs: readonly Pack[];
}

/** What never changes while the run lasts. */
export interface RunPlan {
  readonly graph: FlowGraph;
  readonly bundleHash: string;
  /** Resolved values, JSON. */
  readonly parameters: string;
  readonly cause: Cause;
  /** The time that the run is about: of its slot, else of its request; a run that resumes it is about the same. */
  readonly asOfMs?: number;
  /** What a resumed run takes over. */
  readonly resume?: ResumePlan;
}

export interface ResumePlan {
  /** The run whose outcomes are taken over; in place it is this run. */
  readonly origin: string;
  /** Step from which on everything is run again, whatever its outcome was; null: what did not end well. */
  readonly from: string | null;
}

/** What is kept of a task that is over, until its run is forgotten: enough to take it over, and to go on with its counters. */
export interface PastTask {
  readonly attempt: number;
  readonly dispatch: number;
  /** Absent: it did not end well, or its outcome is never taken over. */
  readonly outcome?: PastOutcome;
  /** Of one that did not end well: what it had saved. */
  readonly checkpoints?: readonly Artifact[];
}

export interface PastOutcome {
  readonly artifacts: readonly Artifact[];
  readonly split?: Split;
  readonly choice?: string;
  readonly again?: boolean;
}

/** Tags of a run, kept for as long as the run is known. */
export interface TagState {
  readonly user: readonly string[];
  readonly system: readonly string[];
  readonly requestedAt: number;
}

/** An open task. It is deleted when the task ends. */
export interface TaskState {
  /** From 1, never reset; 0 while it is recalled or sought. */
  readonly attempt: number;
  /** From 1 over all attempts, never reset. */
  readonly dispatch: number;
  /** Attempts of it before the run was resumed in place: retries are counted from there. */
  readonly before?: number;
  /** `recalled`: what the origin knows of it is on its way; `sought`: what is remembered of its like is; `held`: a gang's member that completed and waits for the others. */
  readonly phase: 'recalled' | 'sought' | 'backoff' | 'dispatched' | 'started' | 'held';
  /** Incarnation that was first to start this dispatch. */
  readonly holder: string | null;
  readonly worker: string | null;
  /** When the current phase lapses, less the clock's shift at that time. */
  readonly dueMs: number;
  /** When this attempt was first offered, once nobody has taken a dispatch of it. */
  readonly since?: number;
  /** What it has saved to go on from, by name. */
  readonly checkpoints?: readonly Artifact[];
  /** The completion that waits. */
  readonly held?: Held;
}

export interface Held {
  readonly artifacts: readonly Artifact[];
  readonly requests: readonly { readonly kind: string; readonly body: string }[];
}

/** Notices when append times jump: while leases are open, records or ticks come at least every half beat. */
export interface ClockState {
  readonly lastMs: number;
  /** Sum of all jumps: open leases move by what was added since they were set. */
  readonly shiftMs: number;
  readonly openLeases: number;
  /** A jump is longer than this: the shortest heartbeat among the runs since no lease was open. */
  readonly beatMs: number;
}

export const clockKey = 'clock';
export const runKey = (runId: string): string => `run/${runId}`;
export const planKey = (runId: string): string => `plan/${runId}`;
export const tagsKey = (runId: string): string => `tags/${runId}`;
export const taskKey = (runId: string, taskId: string): string => `task/${runId}/${taskId}`;
export const tasksPrefix = (runId: string): string => `task/${runId}/`;
export const leaseName = (runId: string, taskId: string): string => `lease/${runId}/${taskId}`;

/** What is kept of the tasks that are over. */
export const pastPrefix = (runId: string): string => `past/${runId}/`;
export const pastKey = (runId: string, taskId: string): string => `${pastPrefix(runId)}${taskId}`;
/** Past members of a gang, and its packs. */
export const pastMembersPrefix = (runId: string, pointId: string): string => `${pastKey(runId, pointId)}.`;
export const forgetName = (runId: string): string => `forget/${runId}`;

/** All that a run's walks keep; what is left of it when the run is over is swept. */
export const walksPrefix = (runId: string): string => `walk/${runId}/`;
export const walkKey = (runId: string, walkId: string): string => `walk/${runId}/scope/${walkId}`;
export const pointKey = (runId: string, pointId: string): string => `walk/${runId}/point/${pointId}`;
export const itemsKey = (runId: string, pointId: string): string => `walk/${runId}/items/${pointId}`;
export const packsKey = (runId: string, pointId: string): string => `walk/${runId}/packs/${pointId}`;
export const joinKey = (runId: string, taskId: string): string => `walk/${runId}/join/${taskId}`;
export const chunkKey = (runId: string, pointId: string, chunk: number): string =>
  `walk/${runId}/chunk/${pointId}/${chunk}`;

const pastMembersMax = flowLimits.maxWorkers + Math.ceil(flowLimits.maxWorkers / chunkSize);

/** Checkpoints of a task. */
export const checkpointsMax = 100;

/** Values that one sweep takes at most. */
export const sweepMax = 500;

/** Ids become keys of the state, so they must be plain. */
export function isPlainId(id: string): boolean {
  return /^[A-Za-z0-9_.-]{1,400}$/.test(id);
}

/** What is left open in a run: enough for whoever ends it. */
const openTasksMax = 2 * flowLimits.maxWorkers;

/** What a fold needs that may end a run: all its open tasks. */
export function readsOfRun(runId: string): Reads {
  return {
    keys: [clockKey, runKey(runId), planKey(runId), walkKey(runId, '')],
    ranges: [{ prefix: tasksPrefix(runId), limit: openTasksMax }],
  };
}

export function readsOfTags(runId: string): Reads {
  return { keys: [clockKey, runKey(runId), tagsKey(runId)] };
}

/** A run that is requested, and the one that it resumes. */
export function readsOfRequest(runId: string, origin: string | undefined): Reads {
  const { keys = [], ranges = [] } = readsOfRun(runId);
  return origin === undefined || !isPlainId(origin)
    ? { keys, ranges }
    : { keys: [...keys, runKey(origin), planKey(origin)], ranges };
}

/** A task of a resumed run, with what the origin knows of it; a gang with all its members. */
export function readsOfRecall(runId: string, taskId: string, origin: string, gang: boolean): Reads {
  if (!gang) {
    const { keys = [] } = readsOfTask(runId, taskId);
    return { keys: [...keys, pastKey(origin, taskId)] };
  }
  const { keys = [], ranges = [] } = readsOfPoint(runId, taskId);
  return { keys, ranges: [...ranges, { prefix: pastMembersPrefix(origin, taskId), limit: pastMembersMax }] };
}

export function readsOfForgetting(runId: string): Reads {
  return { keys: [clockKey, runKey(runId), planKey(runId)], ranges: [{ prefix: pastPrefix(runId), limit: sweepMax }] };
}

/** What the fold of a heartbeat or a timer needs of each task. */
export function readsOfLeases(runId: string, taskIds: readonly string[]): Reads {
  return { keys: [clockKey, runKey(runId), planKey(runId), ...taskIds.map((taskId) => taskKey(runId, taskId))] };
}

/** A task with all that it lies in, which follows from its id. */
export function readsOfTask(runId: string, taskId: string): Reads {
  return {
    keys: [
      clockKey,
      runKey(runId),
      planKey(runId),
      taskKey(runId, taskId),
      joinKey(runId, taskId),
      ...keysAround(runId, taskId),
    ],
  };
}

export function readsOfEnd(runId: string, taskId: string): Reads {
  const { keys = [] } = readsOfTask(runId, taskId);
  return { keys, ...rangesOf(readsOfRun(runId)) };
}

/** A point that goes on: what it lies in, and the open tasks of its walks. */
export function readsOfPoint(runId: string, pointId: string): Reads {
  return {
    keys: [
      clockKey,
      runKey(runId),
      planKey(runId),
      ...keysAround(runId, pointId),
      pointKey(runId, pointId),
      itemsKey(runId, pointId),
    ],
    ranges: [{ prefix: `${tasksPrefix(runId)}${pointId}.`, limit: flowLimits.maxWorkers }],
  };
}

export function readsOfSweep(runId: string): Reads {
  return {
    keys: [clockKey, runKey(runId), planKey(runId), walkKey(runId, '')],
    ranges: [{ prefix: walksPrefix(runId), limit: sweepMax }],
  };
}

/** Of a walk under a point only the chunk that its own result goes to, or that its pack is made of. */
function keysAround(runId: string, id: string): string[] {
  const keys = [walkKey(runId, '')];
  const prefixes = prefixesOfId(id);
  prefixes.forEach((prefix, place) => {
    keys.push(walkKey(runId, prefix));
    const inner = prefixes[place + 1];
    if (inner === undefined) return;
    const part = inner.slice(prefix.length + 1);
    const chunk = part === packPart ? Number(id.slice(inner.length + 1)) : chunkOf(Number(part) || 0);
    keys.push(pointKey(runId, prefix), itemsKey(runId, prefix), packsKey(runId, prefix));
    keys.push(chunkKey(runId, prefix, chunk));
  });
  return keys;
}

function rangesOf({ ranges = [] }: Reads): Pick<Reads, 'ranges'> {
  return { ranges };
}

/** Marks the id of a task that packs results: `<point>.-pack.<chunk>`. No step is called so. */
export const packPart = '-pack';

export function chunkOf(place: number): number {
  return Math.floor(place / chunkSize);
}

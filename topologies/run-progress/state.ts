import type { Reads } from '../../runtime/engine/topology.ts';
import type { Artifact, Cause } from '../../schemas/events.ts';
import { type FlowGraph, flowLimits } from '../../schemas/flow-graph.ts';

/** What a run needs to go on; kept small because every accepted task rewrites it. */
export interface RunState {
  readonly status: 'running' | 'completed' | 'failed' | 'cancelled';
  readonly flow: string;
  readonly startedAt: number;
  readonly actor: string;
  /** Tasks that are dispatched, started or wait for a retry. */
  readonly open: number;
  readonly opened: number;
  /** Tasks that ended well. */
  readonly completed: readonly string[];
  /** Artifacts by scope; a scope goes when it is joined. */
  readonly scopes: Readonly<Record<string, ScopeState>>;
}

export interface ScopeState {
  readonly artifacts: readonly Artifact[];
  /** A join happened here: what was visible before it is gone. */
  readonly cut: boolean;
}

/** What never changes while the run lasts. */
export interface RunPlan {
  readonly graph: FlowGraph;
  readonly bundleHash: string;
  /** Resolved values, JSON. */
  readonly parameters: string;
  readonly cause: Cause;
}

/** An open task. It is deleted when the task ends. */
export interface TaskState {
  /** From 1, never reset. */
  readonly attempt: number;
  /** From 1 over all attempts, never reset. */
  readonly dispatch: number;
  readonly phase: 'backoff' | 'dispatched' | 'started';
  /** Incarnation that was first to start this dispatch. */
  readonly holder: string | null;
  readonly worker: string | null;
  /** When the current phase lapses, less the clock's shift at that time. */
  readonly dueMs: number;
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
export const taskKey = (runId: string, taskId: string): string => `task/${runId}/${taskId}`;
export const tasksPrefix = (runId: string): string => `task/${runId}/`;
export const leaseName = (runId: string, taskId: string): string => `lease/${runId}/${taskId}`;

/** Ids become keys of the state, so they must be plain. */
export function isPlainId(id: string): boolean {
  return /^[A-Za-z0-9_.-]{1,400}$/.test(id);
}

/** What a fold needs that may end a run: all its open tasks. */
export function readsOfRun(runId: string): Reads {
  return {
    keys: [clockKey, runKey(runId), planKey(runId)],
    ranges: [{ prefix: tasksPrefix(runId), limit: flowLimits.steps }],
  };
}

export function readsOfTask(runId: string, taskIds: readonly string[]): Reads {
  return { keys: [clockKey, runKey(runId), planKey(runId), ...taskIds.map((taskId) => taskKey(runId, taskId))] };
}

export function readsOfEnd(runId: string, taskId: string): Reads {
  const { keys = [], ranges = [] } = readsOfRun(runId);
  return { keys: [...keys, taskKey(runId, taskId)], ranges };
}

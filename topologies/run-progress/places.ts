/** Where a task of a run lies: its id says it, together with the graph. */
import {
  type FlowGraph,
  flowDefaults,
  isTask,
  type JoinedPoint,
  type TaskSettings,
  type TaskStep,
} from '../../schemas/flow-graph.ts';
import { GraphIndex, indexOfId, nameOfId, type Walk } from '../../schemas/graph-index.ts';
import { packPart } from './state.ts';

export type Place = StepPlace | PackPlace | HookPlace;

/** A task of the user's. */
export interface StepPlace {
  readonly kind: 'step';
  readonly taskId: string;
  readonly step: TaskStep;
  readonly walk: Walk;
}

/** A task of the platform's: results of walks into one blob. */
export interface PackPlace {
  readonly kind: 'pack';
  readonly taskId: string;
  readonly point: JoinedPoint;
  readonly pointId: string;
  readonly walk: Walk;
  readonly chunk: number;
}

/** What runs after the end of a run. */
export interface HookPlace {
  readonly kind: 'hook';
  readonly taskId: HookId;
  readonly settings: TaskSettings;
}

export type HookId = '-success' | '-error';

export function isHookId(taskId: string): taskId is HookId {
  return taskId === '-success' || taskId === '-error';
}

export function packId(pointId: string, chunk: number): string {
  return `${pointId}.${packPart}.${chunk}`;
}

/** Undefined when the graph has no such task. */
export function placeOf(graph: FlowGraph, taskId: string): Place | undefined {
  if (isHookId(taskId)) {
    const settings = taskId === '-success' ? graph.hooks?.success : graph.hooks?.error;
    return settings === undefined ? undefined : { kind: 'hook', taskId, settings };
  }
  const index = GraphIndex.of(graph);
  const pack = taskId.indexOf(`.${packPart}.`);
  const id = pack < 0 ? taskId : taskId.slice(0, pack);
  const step = index.step(nameOfId(id));
  if (step === undefined) return undefined;
  const walk = { scope: step.scope, index: indexOfId(id) };
  if (walk.index.length !== index.depth(step.scope)) return undefined;
  if (pack < 0) return isTask(step) ? { kind: 'step', taskId, step, walk } : undefined;
  const chunk = Number(taskId.slice(pack + packPart.length + 2));
  if (step.kind !== 'branch' && step.kind !== 'foreach' && step.kind !== 'gang') return undefined;
  return { kind: 'pack', taskId, point: step, pointId: id, walk, chunk };
}

export function stepNameOf(place: Place): string {
  switch (place.kind) {
    case 'step':
      return place.step.name;
    case 'pack':
      return place.point.name;
    case 'hook':
      return place.taskId;
  }
}

const packSettings: TaskSettings = { retry: { times: 5, backoffMs: 1_000, factor: 2 }, timeoutMs: 600_000 };

export function settingsOf(place: Place): TaskSettings {
  switch (place.kind) {
    case 'step':
      return place.step;
    case 'pack':
      return packSettings;
    case 'hook':
      return place.settings;
  }
}

export function retryOf(place: Place): NonNullable<TaskSettings['retry']> {
  return settingsOf(place).retry ?? flowDefaults.retry;
}

/** The gang that a task is a member of. */
export function gangOf(
  graph: FlowGraph,
  place: Place,
): { readonly pointId: string; readonly rank: number } | undefined {
  if (place.kind !== 'step') return undefined;
  const index = GraphIndex.of(graph);
  if (index.owner(place.walk.scope)?.kind !== 'gang') return undefined;
  const walkId = index.walkId(place.walk);
  const rank = place.walk.index.at(-1) ?? 0;
  return { pointId: walkId.slice(0, walkId.length - String(rank).length - 1), rank };
}

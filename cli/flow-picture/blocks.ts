/** A flow's graph as it nests: steps one after the other, points with what lies in them. Text and picture are drawn from it. */
import { type FlowGraph, flowDefaults, type GraphStep, isTask, type TaskSettings } from '../../schemas/flow-graph.ts';
import { durationText } from '../../schemas/durations.ts';
import { duration } from '../ui/table.ts';

export type Block = StepBlock | PointBlock;

export interface StepBlock {
  readonly kind: 'step' | 'join' | 'hook';
  /** Without its scope. */
  readonly name: string;
  /** How it runs, where it says something. */
  readonly settings: readonly string[];
}

export interface PointBlock {
  readonly kind: 'branch' | 'foreach' | 'switch' | 'repeat' | 'gang';
  readonly name: string;
  readonly settings: readonly string[];
  /** What a walk of it means: `once for each item`. */
  readonly meaning: string;
  readonly lanes: readonly { readonly label: string; readonly blocks: readonly Block[] }[];
}

export function blocksOf(graph: FlowGraph): readonly Block[] {
  const { hooks = {} } = graph;
  const hook = (name: string, settings: TaskSettings | undefined): Block[] =>
    settings === undefined ? [] : [{ kind: 'hook', name, settings: settingsText(settings) }];
  return [...scope(graph, ''), ...hook('on success', hooks.success), ...hook('on error', hooks.error)];
}

function scope(graph: FlowGraph, name: string): readonly Block[] {
  return graph.steps.filter((step) => step.scope === name).map((step) => blockOf(graph, step));
}

function blockOf(graph: FlowGraph, step: GraphStep): Block {
  // a branch or case of one step has the step's name
  const name = step.name === step.scope ? (step.name.split('.').at(-1) ?? '') : withoutScope(step);
  const settings = isTask(step) ? settingsText(step) : [];
  const lane = (label: string, of: string) => ({ label, blocks: scope(graph, of) });
  switch (step.kind) {
    case 'step':
    case 'join':
      return { kind: step.kind, name, settings };
    case 'branch': {
      const lanes = step.branches.map(({ branch, scope: of }) => lane(branch, of));
      return { kind: 'branch', name, settings, meaning: 'all at once', lanes };
    }
    case 'switch': {
      const lanes = step.cases.map(({ key, scope: of }) => lane(key, of));
      return { kind: 'switch', name, settings, meaning: 'one of them', lanes };
    }
    case 'foreach':
      return { kind: 'foreach', name, settings, meaning: 'once for each item', lanes: [lane('', step.body)] };
    case 'repeat': {
      const { most } = step;
      const meaning = most === undefined ? 'again until it is done' : `again, ${most} rounds at most`;
      return { kind: 'repeat', name, settings, meaning, lanes: [lane('', step.body)] };
    }
    case 'gang': {
      const meaning = `${step.size} at the same time`;
      return { kind: 'gang', name, settings, meaning, lanes: [lane('', step.body)] };
    }
  }
}

function withoutScope({ name, scope: around }: GraphStep): string {
  return around === '' ? name : name.slice(around.length + 1);
}

function settingsText(settings: TaskSettings): readonly string[] {
  const {
    retry,
    timeoutMs,
    runs,
    catch: caught,
    resources = {},
    compute,
    image,
    environment,
    secrets,
    memoise,
  } = settings;
  const count = (values: object | undefined, what: string): string[] =>
    values === undefined || Object.keys(values).length === 0 ? [] : [`${what} ${Object.keys(values).join(', ')}`];
  return [
    ...(runs === undefined || runs.kind === 'function' ? [] : [runs.kind]),
    ...(retry === undefined || retry.times === 0 ? [] : [`retry ${retry.times}`]),
    ...(timeoutMs === flowDefaults.timeoutMs ? [] : [`timeout ${duration(timeoutMs)}`]),
    ...(caught === undefined ? [] : [`catch ${caught}`]),
    ...(resources.cpu === undefined ? [] : [`${resources.cpu} cpu`]),
    ...(resources.memoryMb === undefined ? [] : [`${resources.memoryMb} MiB`]),
    ...(resources.gpu === undefined ? [] : [`${resources.gpu} gpu`]),
    ...(resources.diskMb === undefined ? [] : [`${resources.diskMb} MiB disk`]),
    ...(compute === undefined ? [] : [`on ${compute}`]),
    ...(image === undefined ? [] : [`image ${image}`]),
    ...count(environment, 'env'),
    ...count(secrets, 'secrets'),
    ...(memoise === undefined
      ? []
      : [`memoised${memoise.windowMs === undefined ? '' : ` per ${durationText(memoise.windowMs)}`}`]),
  ];
}

import { wholeNumber } from '../arguments.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import { type FlowGraph, flowLimits, isTask, refreshed, type RetryPolicy } from '../../schemas/flow-graph.ts';

export interface GraphChanges {
  readonly with: readonly string[];
  readonly maxWorkers?: string | undefined;
  readonly maxSplits?: string | undefined;
  /** False: memoised steps run, whatever is remembered. */
  readonly cache?: boolean | undefined;
}

/** Attempts after the first that `--with retry` allows, as in Metaflow. */
const retryTimes = 3;

/** The graph for this run. A step that says something itself keeps it: `retry: 0` protects one with effects elsewhere. */
export function changedGraph(graph: FlowGraph, changes: GraphChanges): FlowGraph {
  const { maxWorkers, maxSplits, cache = true } = changes;
  const limits = {
    ...(maxWorkers === undefined
      ? {}
      : { maxWorkers: wholeNumber('--max-workers', maxWorkers, { most: flowLimits.maxWorkers }) }),
    ...(maxSplits === undefined
      ? {}
      : { maxSplits: wholeNumber('--max-splits', maxSplits, { most: flowLimits.maxSplits }) }),
  };
  const retry = changes.with.map(retryOf).at(-1);
  const steps = graph.steps.map((step) => {
    if (!isTask(step) || retry === undefined || step.retry !== undefined) return step;
    return { ...step, retry };
  });
  const changed = { ...graph, ...limits, steps };
  return cache ? changed : refreshed(changed);
}

/** `retry`, `retry:5` or `retry:times=5,backoffMs=1000,factor=2`. */
function retryOf(text: string): RetryPolicy {
  const [, rest = ''] = /^retry(?::(.+))?$/.exec(text) ?? [undefined, undefined];
  if (!/^retry(:.+)?$/.test(text)) throw wrong(text);
  if (rest === '') return { times: retryTimes, backoffMs: 0 };
  if (/^\d+$/.test(rest)) return { times: Number(rest), backoffMs: 0 };
  const policy: Record<string, number> = {};
  for (const pair of rest.split(',')) {
    const [, name = '', value = ''] = /^(times|backoffMs|factor)=(\d+(?:\.\d+)?)$/.exec(pair) ?? [];
    if (name === '') throw wrong(text);
    policy[name] = Number(value);
  }
  return { times: retryTimes, backoffMs: 0, ...policy };
}

function wrong(text: string): MillraceError {
  return new MillraceError(
    'INVALID_ARGUMENT',
    `--with ${text}: write --with retry, --with retry:5 or --with retry:times=5,backoffMs=1000,factor=2`,
  );
}

/** Whether a start becomes a run at once, waits, or does not become one. */
import { derivedId, derivedIdBeside } from '../../schemas/derived-ids.ts';
import { type FlowGraph, refreshed } from '../../schemas/flow-graph.ts';
import { parseFlowGraph } from '../../schemas/flow-graph-problems.ts';
import { resolveParameters } from '../../schemas/flow-parameters.ts';
import {
  type ConcurrencyLimit,
  type FlowPolicy,
  parseDeployedName,
  policyLimits,
  tagProblems,
} from '../../schemas/flow-policy.ts';
import { topics } from '../../schemas/topics.ts';
import { judge } from './judging.ts';
import { endingKey, type OpenRun, openKey, queueKey, queuePrefix, type Start } from './state.ts';
import type { Work } from './work.ts';

/** Events, slots and ends of runs; a paused flow lets only people start it. */
const automatic: ReadonlySet<string> = new Set(['trigger', 'finish', 'schedule']);

const launchesPerFold = 25;
const launchBytesMax = 2 * 1024 * 1024;

/** Decides on a start that was just asked for. */
export function admit(work: Work, start: Start): void {
  const refused = refusal(work, start);
  if (refused !== undefined) {
    judge(work, start, { outcome: 'refused', reason: refused });
    return;
  }
  if (work.counts.paused && automatic.has(start.cause.kind)) {
    judge(work, start, { outcome: 'paused', reason: 'the flow is paused' });
    return;
  }
  const hindrance = hindranceOf(work, start);
  if (hindrance === undefined) launch(work, start);
  else if (hindrance.action === 'queue') enqueue(work, start, hindrance.reason);
  else judge(work, start, { outcome: hindrance.action === 'skip' ? 'skipped' : 'refused', reason: hindrance.reason });
}

/** Starts what waits and may now start, in the order in which it came; goes on in a record of its own when it is much. */
export function drain(work: Work): void {
  if (work.counts.queued === 0) return;
  const most = launchesAtOnce(work);
  let launched = 0;
  for (const [key, start] of work.range<Start>(queuePrefix(work.flow))) {
    if (work.counts.paused && automatic.has(start.cause.kind)) continue;
    if (hindranceOf(work, start) !== undefined) continue;
    if (launched >= most) {
      const data = { flow: work.flow, work: 'queue', requestId: '', reason: '', actor: '', runs: 0 };
      work.emit({ topic: 'starts', type: 'flow-continued', key: work.flow, data });
      return;
    }
    work.delete(key);
    work.change({ queued: work.counts.queued - 1 });
    const refused = refusal(work, start);
    if (refused === undefined) launch(work, start);
    else judge(work, start, { outcome: 'refused', reason: refused });
    launched += 1;
  }
}

/** A run that was open has ended; answers what was known of it. */
export function release(work: Work, runId: string): OpenRun | undefined {
  const { flow } = work;
  const key = [openKey(flow, runId), endingKey(flow, runId)].find((one) => work.get(one) !== undefined);
  const run = key === undefined ? undefined : work.get<OpenRun>(key);
  if (key === undefined || run === undefined) return undefined;
  work.delete(key);
  if (run.version === 0) return run;
  work.change({ running: Math.max(0, work.counts.running - 1) });
  const stand = run.schedule === undefined ? undefined : work.counts.schedules[run.schedule];
  if (run.schedule !== undefined && stand !== undefined)
    work.changeSchedule(run.schedule, { open: Math.max(0, stand.open - 1) });
  return run;
}

/** Most runs that one record makes: each carries the graph, and one fold says a bounded amount. */
export function launchesAtOnce(work: Work): number {
  const bytes = Math.max(1, work.known?.graph.length ?? 1);
  return Math.max(1, Math.min(launchesPerFold, Math.floor(launchBytesMax / bytes)));
}

export function limitOf(work: Work): ConcurrencyLimit | undefined {
  const { current } = work;
  return current === undefined ? undefined : (JSON.parse(current.policy) as FlowPolicy).concurrency;
}

interface Hindrance {
  readonly action: 'queue' | 'skip' | 'refuse';
  readonly reason: string;
}

function hindranceOf(work: Work, start: Start): Hindrance | undefined {
  if (start.bundle !== undefined || versionOf(work, start) === 0) return undefined;
  const { slot } = start;
  const { running, schedules } = work.counts;
  const open = slot === undefined ? 0 : (schedules[slot.schedule]?.open ?? 0);
  if (slot !== undefined && slot.overlap !== 'allow' && open > 0) {
    const queues = slot.overlap === 'queue' || slot.backfill !== null;
    return { action: queues ? 'queue' : 'skip', reason: `a run of schedule '${slot.schedule}' is still open` };
  }
  const limit = limitOf(work);
  if (limit === undefined || running < limit.max) return undefined;
  const reason = `${running} of at most ${limit.max} runs are open`;
  // Nobody asks for a backfill to have it skipped.
  const backfill = slot !== undefined && slot.backfill !== null;
  return { action: backfill ? 'queue' : (limit.overflow ?? 'queue'), reason };
}

function enqueue(work: Work, start: Start, reason: string): void {
  const { queued, sequence } = work.counts;
  if (queued >= policyLimits.queued) {
    judge(work, start, { outcome: 'refused', reason: `${reason}, and ${queued} starts wait already` });
    return;
  }
  work.put(queueKey(work.flow, sequence), start);
  work.change({ queued: queued + 1, sequence: sequence + 1 });
  judge(work, start, { outcome: 'queued', reason });
}

/** Why no run can be made of a start, now or later; undefined when one can. */
function refusal(work: Work, start: Start): string | undefined {
  const { flow, current } = work;
  if (start.chain.includes(flow)) return `a loop: ${[...start.chain, flow].join(' → ')}`;
  const { resume } = start;
  if (resume !== undefined) {
    if (resume.inPlace && [openKey(flow, resume.runId), endingKey(flow, resume.runId)].some((key) => work.get(key)))
      return `run '${resume.runId}' is still running: wait for its end, or cancel it, before it is resumed`;
    if (start.bundle === undefined && resume.code === 'origin') return tagProblems(start.tags).join('; ') || undefined;
  }
  if (start.bundle === undefined && current === undefined)
    return `there is no deployed flow '${flow}': deploy it first`;
  if (start.bundle !== undefined && !isHash(start.bundle.bundleHash))
    return `bundleHash must be a sha256 of 64 hex characters, got '${start.bundle.bundleHash.slice(0, 80)}'`;
  const parsed = graphFor(flow, start.bundle?.graph ?? current?.graph ?? '');
  if (parsed.problems !== undefined) return parsed.problems.join('; ');
  const tags = tagProblems(start.tags);
  if (tags.length > 0) return tags.join('; ');
  // The origin's, which have been resolved.
  if (resume !== undefined) return undefined;
  const given = jsonOf(start.parameters);
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return 'the parameters must be a JSON object';
  const resolved = resolveParameters(parsed.graph.parameters, given as Readonly<Record<string, unknown>>);
  return resolved.problems?.join('; ');
}

/** Makes the run; `refusal` was asked before. */
function launch(work: Work, start: Start): void {
  const { flow, current } = work;
  const { cause, actor, slot, chain, resume } = start;
  const version = versionOf(work, start);
  const { bundleHash, graph } = codeOf(work, start);
  const runId = runIdOf(work, start);
  const policy = version === 0 ? {} : (JSON.parse(current?.policy ?? '{}') as FlowPolicy);
  work.emit({
    topic: 'runs',
    type: 'run-requested',
    key: runId,
    data: {
      runId,
      flow,
      version,
      bundleHash,
      graph: start.refresh === true ? withRefresh(graph) : graph,
      parameters: resume === undefined ? resolvedParameters(flow, graph, start.parameters) : start.parameters,
      tags: [...new Set([...(policy.tags ?? []), ...start.tags])],
      systemTags: systemTags(flow, version, version === 0 ? undefined : current?.token, actor),
      cause,
      actor,
      resume: resume === undefined ? null : { runId: resume.runId, from: resume.from },
      slotMs: slot?.atMs ?? null,
    },
  });
  work.put(openKey(flow, runId), { version, chain, ...(slot === undefined ? {} : { schedule: slot.schedule }) });
  if (version > 0) work.change({ running: work.counts.running + 1 });
  if (slot !== undefined) {
    const open = work.counts.schedules[slot.schedule]?.open ?? 0;
    work.changeSchedule(slot.schedule, { open: open + 1 });
  }
  judge(work, start, { outcome: 'started', reason: '', runId });
}

/** A run that resumes another one lies on its partition: there its outcomes are kept. */
function runIdOf({ flow, timeMs }: Work, { requestId, resume }: Start): string {
  if (resume === undefined) return derivedId(timeMs, 'run', flow, requestId);
  if (resume.inPlace) return resume.runId;
  return derivedIdBeside(resume.runId, topics.runs.partitions, timeMs, 'run', flow, requestId);
}

/** 0: a run beside the deployed flow. */
function versionOf({ current }: Work, { bundle, resume }: Start): number {
  if (bundle !== undefined) return 0;
  return resume?.code === 'origin' ? resume.version : (current?.version ?? 0);
}

/** An empty graph is that of the run that is resumed. */
function codeOf({ current }: Work, { bundle, resume }: Start): NonNullable<Start['bundle']> {
  if (bundle !== undefined) return bundle;
  if (resume?.code === 'origin') return { bundleHash: resume.bundleHash, graph: '' };
  return { bundleHash: current?.bundleHash ?? '', graph: current?.graph ?? '' };
}

/** A graph that does not parse has been refused before; an empty one is the origin's. */
function withRefresh(graph: string): string {
  return graph === '' ? graph : JSON.stringify(refreshed(JSON.parse(graph) as FlowGraph));
}

function resolvedParameters(flow: string, graph: string, text: string): string {
  const parsed = graphFor(flow, graph);
  const specs = parsed.problems === undefined ? parsed.graph.parameters : {};
  const resolved = resolveParameters(specs, jsonOf(text) as Readonly<Record<string, unknown>>);
  return JSON.stringify(resolved.problems === undefined ? resolved.values : {});
}

/** The namespace of a run, and where it belongs. */
function systemTags(flow: string, version: number, token: string | undefined, actor: string): readonly string[] {
  const { project, branch } = parseDeployedName(flow);
  return [
    version > 0 && token !== undefined ? `production:${token}` : `user:${actor}`,
    ...(project === undefined ? [] : [`project:${project}`]),
    ...(branch === undefined ? [] : [`project_branch:${branch}`]),
  ];
}

/** The graph of a deployed name: its own name is the last part. */
export function graphFor(
  flow: string,
  text: string,
): { readonly graph: FlowGraph; readonly problems?: undefined } | { readonly problems: readonly string[] } {
  const parsed = parseFlowGraph(text);
  if (parsed.problems !== undefined) return parsed;
  const { flow: own } = parseDeployedName(flow);
  if (parsed.graph.name !== own) return { problems: [`the graph is of flow '${parsed.graph.name}', not of '${own}'`] };
  return parsed;
}

export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

export const isHash = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);

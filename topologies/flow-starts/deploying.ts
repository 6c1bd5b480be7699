/** New versions of a flow: their numbers, who may make them, and what they wait for. */
import { createHash } from 'node:crypto';
import type { FlowDeployRequested } from '../../schemas/events.ts';
import { type FlowPolicy, parseDeployedName, policyProblems } from '../../schemas/flow-policy.ts';
import { type FlowTrigger, isSchedule, parseTriggers, triggerName } from '../../schemas/flow-triggers.ts';
import { awaited } from '../../schemas/trigger-match.ts';
import { triggerProblems } from '../../schemas/trigger-problems.ts';
import { drain, graphFor, isHash, jsonOf } from './admission.ts';
import type { CurrentVersion, ScheduleStand } from './state.ts';
import type { Work } from './work.ts';

/** Answers why it is refused; undefined when it was done. */
export function deploy(work: Work, request: FlowDeployRequested): string | undefined {
  const { flow, timeMs } = work;
  const { requestId, bundleHash, graph, triggers, actor, policy } = request;
  const parsed = graphFor(flow, graph);
  if (parsed.problems !== undefined) return parsed.problems.join('; ');
  const names = Object.keys(parsed.graph.parameters);
  const problems = [...triggerProblems(jsonOf(triggers), names), ...policyProblems(jsonOf(policy))];
  if (problems.length > 0) return problems.join('; ');
  if (!isHash(bundleHash)) return `bundleHash must be a sha256 of 64 hex characters, got '${bundleHash.slice(0, 80)}'`;
  const { project } = JSON.parse(policy) as FlowPolicy;
  if (parseDeployedName(flow).project !== project)
    return `a flow of project '${project ?? ''}' must be deployed as <project>.<branch>.<flow>, got '${flow}'`;
  const waits = parseTriggers(triggers);
  if (awaited(waits, flow).flows.has(flow)) return `a loop: ${flow} → ${flow}: a flow cannot wait for its own end`;
  const before = work.known;
  const stranger = authorization(before, request);
  if (stranger !== undefined) return stranger;
  const schedules = stands(work, waits);
  const version = (before?.version ?? 0) + 1;
  const owner = ownership(work, before, request);
  work.current = {
    version,
    bundleHash,
    graph,
    triggers,
    policy,
    actor,
    deployedAt: timeMs,
    removed: false,
    ...owner,
  };
  work.change({ schedules });
  sayRow(work);
  const { paused } = work.counts;
  const data = { flow, version, requestId, bundleHash, actor, token: owner.token, triggers, paused };
  const told = Object.entries(schedules)
    .filter(([name]) => waits.some((trigger) => isSchedule(trigger) && triggerName(trigger) === name))
    .map(([schedule, { lastMs }]) => ({ schedule, lastMs }));
  work.emit({ topic: 'starts', type: 'flow-deployed', key: flow, data: { ...data, schedules: told } });
  subscribe(work, before === undefined || before.removed ? [] : parseTriggers(before.triggers), waits, names);
  drain(work);
  return undefined;
}

/** The row of the table of flows, as it is now. */
export function sayRow(work: Work): void {
  const { flow, known } = work;
  if (known === undefined) return;
  const { version, bundleHash, graph, triggers, policy, actor, deployedAt, token, removed } = known;
  const { paused } = work.counts;
  const data = { flow, version, bundleHash, graph, triggers, actor, deployedAt, policy, token, paused };
  work.emit({
    topic: 'flows',
    type: 'flow-row',
    key: flow,
    partition: 0,
    data,
    ...(removed ? { tombstone: true } : {}),
  });
}

/** Tells the flows whose ends are waited for, each in its own partition. */
export function subscribe(
  work: Work,
  before: readonly FlowTrigger[],
  after: readonly FlowTrigger[],
  parameterNames: readonly string[],
): void {
  const { flow } = work;
  const now = awaited(after, flow).flows;
  for (const upstream of new Set([...awaited(before, flow).flows, ...now])) {
    const triggers = now.has(upstream) ? JSON.stringify(after.filter((one) => !isSchedule(one))) : '';
    const data = { flow: upstream, subscriber: flow, version: work.known?.version ?? 0, triggers, parameterNames };
    work.emit({ topic: 'starts', type: 'finish-subscribed', key: upstream, data });
  }
}

function authorization(before: CurrentVersion | undefined, request: FlowDeployRequested): string | undefined {
  if (before === undefined || before.authors.includes(request.actor) || request.authorize === before.token)
    return undefined;
  const authors = before.authors.join(', ');
  return request.authorize === ''
    ? `flow '${request.flow}' was deployed by ${authors}: give its production token with --authorize (\`millrace flows show ${request.flow}\` tells it)`
    : `'${request.authorize.slice(0, 80)}' is not the production token of flow '${request.flow}', which was deployed by ${authors}`;
}

function ownership(
  work: Work,
  before: CurrentVersion | undefined,
  { actor, newToken }: FlowDeployRequested,
): Pick<CurrentVersion, 'token' | 'tokens' | 'authors'> {
  if (before !== undefined && !newToken) {
    const { token, tokens, authors } = before;
    return { token, tokens, authors: authors.includes(actor) ? authors : [...authors, actor] };
  }
  const tokens = (before?.tokens ?? 0) + 1;
  const { flow } = parseDeployedName(work.flow);
  return {
    token: `${flow.toLowerCase()}-${tokens - 1}-${lettersOf(work.flow, tokens, work.timeMs)}`,
    tokens,
    authors: [actor],
  };
}

/** Four letters that follow from what the fold knows. */
function lettersOf(...parts: readonly (string | number)[]): string {
  const hash = createHash('sha256').update(parts.join('\u0000')).digest();
  return [...hash.subarray(0, 4)].map((byte) => String.fromCharCode(97 + (byte % 26))).join('');
}

/** A schedule that stays as it was goes on where it is; a new or changed one begins now. */
function stands(work: Work, triggers: readonly FlowTrigger[]): Readonly<Record<string, ScheduleStand>> {
  const { schedules } = work.counts;
  const next: Record<string, ScheduleStand> = {};
  for (const trigger of triggers) {
    if (!isSchedule(trigger)) continue;
    const name = triggerName(trigger);
    const digest = createHash('sha256').update(JSON.stringify(trigger.schedule)).digest('hex').slice(0, 16);
    const known = schedules[name];
    next[name] =
      known === undefined || known.digest !== digest ? { digest, lastMs: work.timeMs, open: known?.open ?? 0 } : known;
  }
  // Runs of a schedule that is gone are still open.
  for (const [name, stand] of Object.entries(schedules)) {
    if (next[name] === undefined && stand.open > 0) next[name] = { ...stand, digest: '' };
  }
  return next;
}

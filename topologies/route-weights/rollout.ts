/** A rollout: what was seen at its step, and its moves. */
import type { Effects } from '../../runtime/engine/topology.ts';
import type { OutcomesObserved, RewardObserved, RolloutControlRequested } from '../../schemas/events.ts';
import { type RolloutSettings, rolloutWeights } from '../../schemas/traffic.ts';
import { addToMoments } from '../../statistics/running-moments.ts';
import type { Decision } from '../decision-request.ts';
import { judgeRollout } from './judge-rollout.ts';
import { keep, rolloutMoved, row, stateKeyOf, timerOf, weightsChanged } from './says.ts';
import { bucketOf, evidenceOf, nothingSeen, percentOf, type Rollout, type Seen, type Steered } from './state.ts';

/** Who moves it when nobody asked. */
const criteria = 'criteria';
/** What it waits for is on its row, at most this often. */
const shownEveryMs = 1_000;

export function beginRollout(steered: Steered, settings: RolloutSettings, timeMs: number): Effects {
  const reason = `began at ${settings.steps[0]?.percent ?? 0} %`;
  const rollout = atStep(0, timeMs, reason);
  return moved(steered, rollout, settings, { action: 'begin', actor: criteria, requestId: '', timeMs });
}

export function withOutcomes(steered: Steered, { routes }: OutcomesObserved): Steered {
  return routes.reduce(
    (next, { route, completed, failed, latenciesMs }) =>
      seen(next, route, (before) => ({
        ...before,
        requests: before.requests + completed + failed,
        failures: before.failures + failed,
        latencies: latenciesMs.reduce<Record<string, number>>(
          (counts, latencyMs) => {
            const bucket = String(bucketOf(latencyMs));
            counts[bucket] = (counts[bucket] ?? 0) + 1;
            return counts;
          },
          { ...before.latencies },
        ),
      })),
    steered,
  );
}

export function withReward(steered: Steered, { route, reward, rule }: RewardObserved): Steered {
  return seen(steered, route, (before) => ({
    ...before,
    rewards: addToMoments(before.rewards, reward),
    judged: before.judged + (rule === 'equal' ? 1 : 0),
    right: before.right + (rule === 'equal' && reward === 1 ? 1 : 0),
  }));
}

function seen(steered: Steered, route: string, change: (before: Seen) => Seen): Steered {
  const { rollout } = steered;
  if (rollout === null) return steered;
  return {
    ...steered,
    rollout: { ...rollout, seen: { ...rollout.seen, [route]: change(rollout.seen[route] ?? nothingSeen) } },
  };
}

/** After anything that may decide it: evidence, an alarm, or the end of a step's time. */
export function judged(steered: Steered, settings: RolloutSettings, timeMs: number): Effects {
  const { rollout } = steered;
  if (rollout === null || rollout.phase === 'promoted' || rollout.phase === 'rolled-back') return keep(steered);
  const { verdict, reason } = judgeRollout(settings, rollout, timeMs);
  const by = { actor: criteria, requestId: '', timeMs };
  if (verdict === 'back') return rolledBack(steered, settings, reason, by);
  const held = rollout.phase === 'paused' || settings.promotion === 'manual';
  if (verdict === 'over' && !held) return advanced(steered, settings, reason, by);
  const now = verdict === 'over' ? `waits: to be promoted (${reason})` : reason;
  const shown = timeMs - rollout.shownMs >= shownEveryMs;
  const waiting = {
    ...rollout,
    reason: rollout.phase === 'paused' ? rollout.reason : now,
    shownMs: shown ? timeMs : rollout.shownMs,
  };
  const next: Steered = { ...steered, rollout: waiting };
  return shown
    ? { ...keep(next), emit: [row(next, { cause: 'rollout', reason: waiting.reason, timeMs })] }
    : keep(next);
}

/** What people ask for. */
export function controlled(
  steered: Steered,
  settings: RolloutSettings,
  { action, reason, actor, requestId }: RolloutControlRequested,
  timeMs: number,
): Decision {
  const { rollout } = steered;
  if (rollout === null) return { refused: `deployment '${steered.deployment}' has no rollout` };
  const { phase } = rollout;
  const by = { actor, requestId, timeMs };
  const because = reason === '' ? `${action} by ${actor}` : reason;
  const open = phase === 'running' || phase === 'paused';
  if (action === 'rollback' && phase !== 'rolled-back') return rolledBack(steered, settings, because, by);
  if (action === 'advance' && open) return advanced(steered, settings, because, by);
  if (action === 'promote' && open) return advanced(steered, settings, because, by, settings.steps.length);
  if ((action === 'pause' && phase === 'running') || (action === 'resume' && phase === 'paused')) {
    const changed = action === 'pause' ? 'paused' : 'running';
    const next: Steered = { ...steered, rollout: { ...rollout, phase: changed, reason: because } };
    return {
      ...keep(next),
      emit: [
        ...rolloutMoved(next, action, actor, requestId, evidenceOf(next)),
        row(next, { cause: 'rollout', reason: because, timeMs }),
      ],
    };
  }
  const known = ['advance', 'promote', 'rollback', 'pause', 'resume'];
  if (!known.includes(action))
    return { refused: `action must be one of ${known.join(', ')}, got '${action.slice(0, 40)}'` };
  return { refused: `the rollout of '${steered.deployment}' is ${phase}: ${action} changes nothing` };
}

interface By {
  readonly actor: string;
  readonly requestId: string;
  readonly timeMs: number;
}

function rolledBack(steered: Steered, settings: RolloutSettings, reason: string, by: By): Effects {
  const { rollout } = steered;
  if (rollout === null) return keep(steered);
  const next: Rollout = { ...rollout, phase: 'rolled-back', reason, sinceMs: by.timeMs };
  return moved(steered, next, settings, { action: 'rollback', ...by });
}

/** To the next step, or to `step`; beyond the last one it has all of the traffic. */
function advanced(
  steered: Steered,
  settings: RolloutSettings,
  reason: string,
  by: By,
  step = (steered.rollout?.step ?? 0) + 1,
): Effects {
  const { rollout } = steered;
  if (rollout === null) return keep(steered);
  if (step < settings.steps.length) {
    const next = { ...atStep(step, by.timeMs, reason), drift: rollout.drift };
    return moved(steered, next, settings, { action: 'advance', ...by });
  }
  const next: Rollout = { ...rollout, phase: 'promoted', reason, sinceMs: by.timeMs };
  return moved(steered, next, settings, { action: 'promote', ...by });
}

function atStep(step: number, timeMs: number, reason: string): Rollout {
  return { phase: 'running', step, sinceMs: timeMs, reason, seen: {}, drift: null, shownMs: timeMs };
}

/** What was seen before a move justifies it. */
function moved(
  before: Steered,
  rollout: Rollout,
  settings: RolloutSettings,
  by: By & { readonly action: string },
): Effects {
  const { action, actor, requestId, timeMs } = by;
  const { deployment } = before;
  const at: Steered = { ...before, rollout };
  const weights = rolloutWeights(at.settings.routes, settings, percentOf(at));
  const next: Steered = { ...at, weights, weightsVersion: at.weightsVersion + 1 };
  const evidence = evidenceOf(before);
  const change = { cause: 'rollout', reason: rollout.reason, seed: '', timeMs, evidence } as const;
  const durationMs = settings.steps[rollout.step]?.durationMs ?? 0;
  const timer = { name: timerOf(deployment), dueMs: timeMs + durationMs, reads: { keys: [stateKeyOf(deployment)] } };
  return {
    ...keep(next),
    ...(rollout.phase === 'running'
      ? { setTimers: [{ ...timer, data: deployment }] }
      : { clearTimers: [timerOf(deployment)] }),
    emit: [...rolloutMoved(next, action, actor, requestId, evidence), ...weightsChanged(next, change)],
    count: { rolloutMoves: 1 },
  };
}

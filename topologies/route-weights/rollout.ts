/** A rollout: what was seen at its step, and its moves. */
import type { Effects, Output } from '../../runtime/engine/topology.ts';
import type {
  OutcomesObserved,
  PromotionRefused,
  RewardObserved,
  RolloutControlRequested,
} from '../../schemas/events.ts';
import { promotionPrefix, type RolloutSettings, type RolloutStep, rolloutWeights } from '../../schemas/traffic.ts';
import { addToMoments } from '../../statistics/samples/running-moments.ts';
import type { Decision } from '../decision-request.ts';
import { judgeRollout } from './judge-rollout.ts';
import { keep, rolloutMoved, row, stateKeyOf, timerOf, weightsChanged } from './says.ts';
import { bucketOf, evidenceOf, nothingSeen, percentOf, type Rollout, type Seen, type Steered } from './state.ts';

/** Who moves it when nobody asked. */
const criteria = 'criteria';
/** What it waits for is on its row, at most this often. */
const shownEveryMs = 1_000;

export function beginRollout(steered: Steered, settings: RolloutSettings, timeMs: number): Effects {
  const [stable, canary] = [settings.stable, settings.canary].map(
    (name) => steered.settings.routes.find((route) => route.name === name)?.serves,
  );
  if (stable !== undefined && stable.model === canary?.model && stable.version === canary.version) {
    const reason = `both routes serve ${stable.model} v${stable.version}: it begins when the canary gets another version`;
    const idle: Rollout = { ...atStep(0, timeMs, reason), phase: 'idle' };
    return moved(steered, idle, settings, { action: 'begin', actor: criteria, requestId: '', timeMs });
  }
  const [first] = settings.steps;
  const reason =
    first?.shadow === undefined ? `began at ${first?.percent ?? 0} %` : `began in the shadow, ${first.shadow} %`;
  const rollout = atStep(0, timeMs, reason);
  return moved(steered, rollout, settings, { action: 'begin', actor: criteria, requestId: '', timeMs });
}

export function withOutcomes(steered: Steered, { routes }: OutcomesObserved): Steered {
  const own = routes.filter((of) => isOwn(steered, of));
  return own.reduce(
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

export function withReward(steered: Steered, { route, reward, rule, shadow }: RewardObserved): Steered {
  if (!isOwn(steered, { route, shadow })) return steered;
  return seen(steered, route, (before) => ({
    ...before,
    rewards: addToMoments(before.rewards, reward),
    judged: before.judged + (rule === 'equal' ? 1 : 0),
    right: before.right + (rule === 'equal' && reward === 1 ? 1 : 0),
  }));
}

/** A step is judged by what is its own: what comes late of answers in the shadow is not that of a share. */
function isOwn(steered: Steered, { route, shadow }: { readonly route: string; readonly shadow: boolean }): boolean {
  const inShadow = stepOf(steered)?.shadow !== undefined;
  return shadow === (inShadow && route === canaryOf(steered));
}

const stepOf = ({ settings, rollout }: Steered): RolloutStep | undefined =>
  settings.traffic?.rollout?.steps[rollout?.step ?? 0];
const canaryOf = ({ settings }: Steered): string | undefined => settings.traffic?.rollout?.canary;

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
  if (rollout === null || overPhases.has(rollout.phase)) return keep(steered);
  const { verdict, reason } = judgeRollout(settings, rollout, timeMs);
  const by = { actor: criteria, requestId: '', timeMs };
  if (verdict === 'back') return rolledBack(steered, settings, reason, by);
  if (rollout.phase === 'promoting') return keep(steered);
  const held = rollout.phase === 'paused' || settings.promotion === 'manual';
  if (verdict === 'over' && !held) return advanced(steered, settings, reason, by);
  const now = verdict === 'over' ? `waits: to be advanced by hand (${reason})` : reason;
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

/** What the registry says against the alias; whoever wants it asks again with `promote`, or takes the rollout back. */
export function promotionRefused(steered: Steered, { requestId, reason }: PromotionRefused, timeMs: number): Effects {
  const { rollout } = steered;
  if (rollout === null || rollout.phase !== 'promoting' || rollout.requestId !== requestId) return keep(steered);
  const next: Steered = { ...steered, rollout: { ...rollout, reason: `waits: ${reason}` } };
  return { ...keep(next), emit: [row(next, { cause: 'rollout', reason: `waits: ${reason}`, timeMs })] };
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
  const open = phase === 'running' || phase === 'paused' || phase === 'promoting';
  if (action === 'rollback' && phase !== 'rolled-back' && phase !== 'idle')
    return rolledBack(steered, settings, because, by);
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

const overPhases: ReadonlySet<Rollout['phase']> = new Set(['idle', 'promoted', 'rolled-back']);

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

/** To the next step, or to `step`; beyond the last one it has all of the traffic, or its model is to get the alias. */
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
  if (settings.alias !== undefined) return promoting(steered, settings, settings.alias, reason, by);
  const next: Rollout = { ...rollout, phase: 'promoted', reason, sinceMs: by.timeMs };
  return moved(steered, next, settings, { action: 'promote', ...by });
}

/** Asks the registry, whose rules decide; the answer is a new version of the deployment, which follows the alias, or a refusal. */
function promoting(steered: Steered, settings: RolloutSettings, alias: string, reason: string, by: By): Effects {
  const { deployment, rollout, version, weightsVersion } = steered;
  const serves = steered.settings.routes.find(({ name }) => name === settings.canary)?.serves;
  if (rollout === null || serves === undefined) return keep(steered);
  const requestId = `${promotionPrefix}${deployment}/${version}/${weightsVersion}`;
  const next: Rollout = { ...rollout, phase: 'promoting', reason, sinceMs: by.timeMs, requestId };
  const effects = moved(steered, next, settings, { action: 'promote', ...by });
  const data = { ...serves, alias, requestId, actor: `rollout of ${deployment}` };
  const asked: Output = { topic: 'registry', type: 'alias-requested', data, key: serves.model };
  return { ...effects, emit: [...(effects.emit ?? []), asked] };
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

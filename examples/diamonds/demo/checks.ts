/**
 * What the demo promises, each held against what is on the log. A broken promise ends the demo with exit code 1 and is named.
 */
import type { Platform } from '../../../services/all-in-one/platform.ts';
import type { Told, Traffic } from './traffic.ts';

export interface KeptPromise {
  readonly promise: string;
  readonly kept: boolean;
  readonly detail: string;
}

/** Facts of the monitoring topics, as a subscriber sees them. */
export interface Monitored {
  readonly rewards: Map<
    string,
    { readonly predictionId: string; readonly route: string; readonly error: number | null }
  >;
  readonly closed: Map<string, string>;
  readonly drift: {
    readonly windowId: string;
    readonly drifted: boolean;
    readonly features: readonly { name: string; drifted: boolean; effectSize: number }[];
    readonly atMs: number;
  }[];
  readonly alerts: { readonly type: string; readonly message: string; readonly atMs: number }[];
  readonly assessments: {
    readonly verdict: string;
    readonly better: string | null;
    readonly pValue: number;
    readonly routes: readonly RouteScore[];
  }[];
  outliers: number;
  outlierRows: number;
  /** Rewards that were said twice for one feedback under different ids. */
  doubleRewards: number;
}

export interface RouteScore {
  readonly route: string;
  readonly count: number;
  readonly meanSquaredError: number;
  readonly meanSquaredErrorLow: number;
  readonly meanSquaredErrorHigh: number;
  readonly meanAbsoluteError: number;
}

export async function watchMonitors(platform: Platform): Promise<Monitored> {
  const monitored: Monitored = {
    rewards: new Map(),
    closed: new Map(),
    drift: [],
    alerts: [],
    assessments: [],
    outliers: 0,
    outlierRows: 0,
    doubleRewards: 0,
  };
  const { runtime } = platform;
  await runtime.follow('rewards', {
    from: 'earliest',
    onEvent: (event) => {
      switch (event.type) {
        case 'reward-recorded': {
          const { predictionId, route, error } = event.data;
          if (monitored.rewards.has(predictionId)) monitored.doubleRewards += 1;
          monitored.rewards.set(predictionId, { predictionId, route, error });
          break;
        }
        case 'feedback-closed':
          monitored.closed.set(event.data.feedbackId, event.data.outcome);
          break;
        case 'experiment-assessed':
          monitored.assessments.push(event.data);
          break;
        case 'reward-due':
        case 'reward-failed':
          // of deployments with a function of their own, which the demo's is not
          break;
      }
    },
  });
  await runtime.follow('drift', {
    from: 'earliest',
    onEvent: (event) => {
      if (event.type === 'drift-assessed') monitored.drift.push({ ...event.data, atMs: event.timeMs });
    },
  });
  await runtime.follow('outliers', {
    from: 'earliest',
    onEvent: ({ data }) => {
      monitored.outliers += data.outliers.length;
      monitored.outlierRows += data.rows;
    },
  });
  await runtime.follow('alerts', {
    from: 'earliest',
    onEvent: (event) =>
      monitored.alerts.push({
        type: event.type,
        message: event.type === 'alert-raised' ? event.data.message : '',
        atMs: event.timeMs,
      }),
  });
  return monitored;
}

export interface DemoFacts {
  readonly requested: readonly string[];
  readonly traffic: Traffic;
  readonly monitored: Monitored;
  readonly told: readonly Told[];
  /** Requests by topic and by HTTP. */
  readonly asked: number;
  /** Feedback by the way it was told. */
  readonly expected: {
    readonly rewarded: number;
    readonly duplicates: number;
    readonly unmatched: number;
    readonly late: number;
  };
  readonly counters: Readonly<Record<string, number>>;
  readonly firstShiftedAtMs: number;
  readonly auditIntact: boolean;
  readonly auditDetail: string;
  readonly explained: boolean;
  readonly explainDetail: string;
}

export function checkPromises(facts: DemoFacts): readonly KeptPromise[] {
  const { requested, traffic, monitored, expected, counters } = facts;
  const unanswered = requested.filter((id) => !traffic.answers.has(id));
  const outcome = (name: string): number => [...monitored.closed.values()].filter((closed) => closed === name).length;
  const counted = (name: string): number => counters[name] ?? 0;
  const early = monitored.alerts.filter(({ type, atMs }) => type === 'alert-raised' && atMs < facts.firstShiftedAtMs);
  const raised = monitored.alerts.filter(({ type, atMs }) => type === 'alert-raised' && atMs >= facts.firstShiftedAtMs);
  const opened = counted('predictionsOpened');
  const closedPredictions = counted('predictionsClosedRewarded') + counted('predictionsClosedUnrewarded');
  const feedbackOutcomes = [
    'feedbackRewarded',
    'feedbackDuplicate',
    'feedbackContradictory',
    'feedbackUnmatched',
    'feedbackLate',
    'feedbackNotComparable',
    'feedbackWaiting',
  ].reduce((sum, name) => sum + counted(name), 0);
  return [
    check(
      'every request has exactly one answer',
      unanswered.length === 0 && traffic.failures.size === 0,
      `${traffic.answers.size} of ${requested.length} answered, ${traffic.failures.size} failed`,
    ),
    check(
      'every feedback counts once',
      monitored.rewards.size === expected.rewarded && monitored.doubleRewards === 0,
      `${monitored.rewards.size} rewards, ${expected.rewarded} expected, ${monitored.doubleRewards} doubled`,
    ),
    check(
      'feedback told twice is closed as duplicate',
      outcome('duplicate') === expected.duplicates,
      `${outcome('duplicate')} of ${expected.duplicates}`,
    ),
    check(
      'feedback for unknown predictions is accounted for',
      outcome('unmatched') === expected.unmatched,
      `${outcome('unmatched')} of ${expected.unmatched}`,
    ),
    check(
      'feedback after the window is late',
      outcome('late') === expected.late,
      `${outcome('late')} of ${expected.late}`,
    ),
    check('the routes are compared', monitored.assessments.length > 0, `${monitored.assessments.length} assessments`),
    check(
      'drift is alarmed after the shift, not before',
      raised.length > 0 && early.length === 0,
      `${raised.length} alarm(s) after, ${early.length} before`,
    ),
    check(
      'outlying rows are flagged',
      monitored.outliers > 0,
      `${monitored.outliers} of ${monitored.outlierRows} rows`,
    ),
    check(
      'the ledger of predictions balances',
      opened === facts.asked && closedPredictions <= opened,
      `${opened} opened, ${closedPredictions} closed, ${opened - closedPredictions} open`,
    ),
    check(
      'the ledger of feedback balances',
      counted('feedbackReceived') === feedbackOutcomes,
      `${counted('feedbackReceived')} received = ${feedbackOutcomes} with an outcome`,
    ),
    check('nothing was lost between topics', counted('gaps') === 0, `${counted('gaps')} gaps`),
    check('the audit trail is intact', facts.auditIntact, facts.auditDetail),
    check('one prediction is explained down to its trigger', facts.explained, facts.explainDetail),
  ];
}

function check(promise: string, kept: boolean, detail: string): KeptPromise {
  return { promise, kept, detail };
}

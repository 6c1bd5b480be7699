/** Any history of predictions and feedback: each feedback ends in exactly one outcome, the ledger balances, nothing is left behind. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTopologyDriver, type DriverOutput, type TopologyDriver } from '../../runtime/testing/index.ts';
import { feedbackRewards } from '../../topologies/feedback-rewards.ts';
import { closedAs } from '../../topologies/feedback-entries.ts';
import { completed, failed, feedback, idOf, tensor, terms } from './prediction-events.ts';

type Action =
  | { readonly kind: 'predict'; readonly n: number; readonly digest: string; readonly rows: number }
  | { readonly kind: 'fail'; readonly n: number }
  | {
      readonly kind: 'feedback';
      readonly n: number;
      readonly truth: number | null;
      readonly reward: number | null;
      readonly row: number | null;
      readonly rows: number;
    }
  | { readonly kind: 'again'; readonly back: number }
  | { readonly kind: 'wait'; readonly ms: number };

const id = fc.integer({ min: 1, max: 5 });
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('predict' as const),
      n: id,
      digest: fc.constantFrom('a', 'a', 'b'),
      rows: fc.constantFrom(1, 1, 2, 3),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('fail' as const), n: id }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('feedback' as const),
      n: id,
      truth: fc.constantFrom(90, 90, 95, null),
      reward: fc.constantFrom(null, null, null, 1),
      row: fc.constantFrom(null, null, 0, 1, 2, 7),
      rows: fc.constantFrom(0, 0, 0, 1, 2, 3),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('again' as const), back: fc.integer({ min: 1, max: 10 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 1_000, 29_000, 45_000, 70_000) }),
  },
);

interface Step {
  readonly id: string;
  readonly action: Action;
}

/** A history as records; `again` is an earlier record under its id, or nothing. */
function stepsOf(actions: readonly Action[]): Step[] {
  const steps: Step[] = [];
  for (const [index, one] of actions.entries()) {
    if (one.kind !== 'again') steps.push({ id: `r${index}`, action: one });
    else {
      const earlier = steps.at(-one.back);
      if (earlier !== undefined && earlier.action.kind !== 'wait') steps.push(earlier);
    }
  }
  return steps;
}

function play(driver: TopologyDriver<'predictions'>, { id: recordId, action: one }: Step): void {
  const envelope = { key: 'k', id: recordId };
  switch (one.kind) {
    case 'predict':
      driver.pipe({
        type: 'prediction-completed',
        data: completed(one.n, {
          inputDigest: one.digest,
          rows: one.rows,
          outputs: [tensor('y', [one.rows, 1], [100, 95, 90].slice(0, one.rows))],
        }),
        ...envelope,
      });
      break;
    case 'fail':
      driver.pipe({ type: 'prediction-failed', data: failed(one.n), ...envelope });
      break;
    case 'feedback': {
      const { truth, reward, row, rows } = one;
      driver.pipe({
        type: 'feedback-received',
        data: feedback(one.n, `f-${recordId}`, { truth, reward, row: rows > 0 ? (row ?? 0) : row, rows }),
        ...envelope,
      });
      break;
    }
    case 'wait':
      driver.advance(one.ms);
      break;
    case 'again':
      break;
  }
}

function outcomes(outputs: readonly DriverOutput[]): { feedbackId: string; outcome: string }[] {
  return outputs.flatMap(({ type, data }) => {
    const { feedbackId, outcome } = data as { feedbackId?: string; outcome?: string };
    return feedbackId === undefined
      ? []
      : [{ feedbackId, outcome: type === 'reward-recorded' ? 'rewarded' : (outcome ?? '') }];
  });
}

describe('any history', () => {
  it('closes each feedback once, balances the ledger at every point, and forgets everything in the end', async () => {
    const occurred = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 60, size: 'max' }), async (actions) => {
        const driver = await createTopologyDriver(feedbackRewards);
        const heard: DriverOutput[] = [];
        for (const step of stepsOf(actions)) {
          play(driver, step);
          heard.push(...driver.takeOutputs());
          balances(driver);
        }
        driver.advance(2_000_000);
        driver.advance(2_000_000);
        heard.push(...driver.takeOutputs());
        balances(driver);
        const closed = outcomes(heard);
        for (const { outcome } of closed) occurred.add(outcome);
        const ids = actions.flatMap((one, index) => (one.kind === 'feedback' ? [`f-r${index}`] : []));
        expect(closed.map(({ feedbackId }) => feedbackId).sort()).toEqual(ids.sort());
        expect(driver.counters()['feedbackWaiting'] ?? 0).toBe(0);
        expect(driver.stateKeys()).toEqual([]);
        expect(driver.timerCount()).toBe(0);
        expect(driver.takeDeadLetters()).toEqual([]);
      }),
      { numRuns: 200, verbose: 1 },
    );
    expect([...occurred].sort()).toEqual([
      'contradictory',
      'duplicate',
      'late',
      'not-comparable',
      'rewarded',
      'unmatched',
    ]);
  });

  it('goes on after a restart at any point as if there had been none', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 40 }), fc.nat(40), async (actions, cut) => {
        const steps = stepsOf(actions.filter(({ kind }) => kind !== 'again'));
        const whole = await createTopologyDriver(feedbackRewards);
        for (const step of steps) play(whole, step);
        const first = await createTopologyDriver(feedbackRewards);
        for (const step of steps.slice(0, cut)) play(first, step);
        const second = await createTopologyDriver(feedbackRewards, {
          snapshot: first.snapshot(),
          startMs: first.nowMs,
        });
        for (const step of steps.slice(cut)) play(second, step);
        expect([...first.takeOutputs(), ...second.takeOutputs()]).toEqual(whole.takeOutputs());
        expect(second.snapshot()).toEqual(whole.snapshot());
      }),
      { numRuns: 100, verbose: 1 },
    );
  });
});

describe('within one window', () => {
  it('any interleaving, with any records repeated, gives the same rewards', async () => {
    const perPrediction = fc.record({
      truths: fc.array(fc.constantFrom(90, 95, 97), { maxLength: 4 }),
      /** Where the prediction stands among its feedback. */
      place: fc.nat(4),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(perPrediction, { minLength: 1, maxLength: 6 }),
        fc.array(fc.nat(5), { maxLength: 60 }),
        fc.array(fc.nat(200), { maxLength: 20 }),
        async (predictions, turns, repeats) => {
          const queues = predictions.map(({ truths, place }, n) => {
            const queue: { id: string; truth: number | undefined; n: number }[] = truths.map((truth, i) => ({
              id: `f${n}-${i}`,
              truth,
              n,
            }));
            queue.splice(Math.min(place, queue.length), 0, { id: `p${n}`, truth: undefined, n });
            return queue;
          });
          const expected = predictions
            .flatMap(({ truths }, n) =>
              truths[0] === undefined ? [] : [{ predictionId: idOf(n), feedbackId: `f${n}-0`, error: 100 - truths[0] }],
            )
            .sort((a, b) => (a.predictionId < b.predictionId ? -1 : 1));
          const order: { id: string; truth: number | undefined; n: number }[] = [];
          for (const turn of [...turns, ...queues.flatMap((queue, n) => queue.map(() => n))]) {
            const next = queues[turn % queues.length]?.shift();
            if (next !== undefined) order.push(next);
          }
          for (const at of repeats) {
            const again = order[at % order.length];
            // A repeat comes after its first, anywhere.
            const first = order.indexOf(again as (typeof order)[number]);
            if (again !== undefined) order.splice(first + 1 + (at % (order.length - first)), 0, again);
          }
          const seen = new Set<string>();
          const driver = await createTopologyDriver(feedbackRewards);
          for (const { id: recordId, truth, n } of order) {
            if (truth === undefined)
              driver.pipe({ type: 'prediction-completed', data: completed(n, { terms }), key: 'k', id: recordId });
            else
              driver.pipe({
                type: 'feedback-received',
                data: feedback(n, recordId, { truth }),
                key: 'k',
                id: recordId,
              });
            seen.add(recordId);
          }
          const rewards = driver
            .takeOutputs()
            .flatMap(({ type, data }) => (type === 'reward-recorded' ? [data] : []))
            .map(({ predictionId, feedbackId, error }) => ({ predictionId, feedbackId, error }))
            .sort((a, b) => (a.predictionId < b.predictionId ? -1 : 1));
          expect(rewards).toEqual(expected);
          expect(driver.counters()['repeats'] ?? 0).toBe(order.length - seen.size);
        },
      ),
      { numRuns: 200, verbose: 1 },
    );
  });
});

function balances(driver: TopologyDriver<'predictions'>): void {
  const counters = driver.counters();
  const of = (name: string): number => counters[name] ?? 0;
  const closed = ['Rewarded', 'Duplicate', 'Contradictory', 'Unmatched', 'Late', 'NotComparable', 'Waiting'];
  expect(of('feedbackReceived')).toBe(closed.reduce((sum, name) => sum + of(`feedback${name}`), 0));
  const ended = of('predictionsClosedRewarded') + of('predictionsClosedPartly') + of('predictionsClosedUnrewarded');
  const open = of('predictionsOpened') - ended;
  const entries = driver.stateKeys('p/').map((key) => driver.state<readonly unknown[]>(key) ?? []);
  const stillOpen = entries.filter((entry) => closedAs(entry) !== undefined && (entry[2] as number) > driver.nowMs);
  expect(open).toBe(stillOpen.length);
  const waits = entries.flatMap(([kind, waiting]) => (kind === 'waits' ? (waiting as readonly unknown[]) : []));
  expect(of('feedbackWaiting')).toBe(waits.length);
}

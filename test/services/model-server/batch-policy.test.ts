/** The rule by which batches are chosen, on requests and run times that are made up: what it learns, and what that gains. */
import { describe, expect, it } from 'vitest';
import { AdaptiveBatches, type BatchPolicy, fixedBatches } from '../../../services/model-server/batch-policy.ts';

/** Seeded, so that a failure can be seen again. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
}

interface Load {
  readonly callMs: number;
  readonly rowMs: number;
  /** Requests at random, whatever is answered … */
  readonly perSecond?: number;
  /** … or clients that ask again so long after an answer, in the mean. */
  readonly clients?: number;
  readonly thinkMs?: number;
}

const requests = 8_000;

/** One model and requests of one row: mean time from arrival to answer, and the calls that were made. */
function simulate(policy: BatchPolicy, { callMs, rowMs, perSecond, clients = 0, thinkMs = 0 }: Load) {
  const draw = random(7);
  const pause = (mean: number): number => -Math.log(draw()) * mean;
  const coming: number[] = [];
  let [at, latency, calls, seen, free] = [0, 0, 0, 0, 0];
  const schedule = (time: number): void => {
    const behind = coming.findIndex((other) => other > time);
    coming.splice(behind === -1 ? coming.length : behind, 0, time);
  };
  if (perSecond === undefined) for (let client = 0; client < clients; client++) schedule(pause(thinkMs));
  else while (coming.length < requests) coming.push((at += pause(1_000 / perSecond)));
  let ended: (() => void) | undefined;
  const end = (): void => {
    ended?.();
    ended = undefined;
  };
  let queue: number[] = [];
  const arrive = (): void => {
    const time = coming.shift() ?? 0;
    if (time > free) end();
    policy.arrived(time);
    queue.push(time);
  };
  const next = (): number => coming[0] ?? Number.POSITIVE_INFINITY;
  while (seen < requests) {
    while (next() <= free) arrive();
    if (queue.length === 0) arrive();
    end();
    let now = Math.max(free, queue[0] ?? 0);
    let until: number | undefined;
    for (let hold = policy.hold(queue.length, queue.length, now); hold !== undefined; ) {
      until ??= now + hold.waitMs;
      if (next() >= until) {
        now = until;
        break;
      }
      now = next();
      arrive();
      hold = policy.hold(queue.length, queue.length, now);
    }
    const batch = queue.slice(0, policy.rowsMax);
    queue = queue.slice(batch.length);
    free = now + callMs + rowMs * batch.length;
    const [rows, ms, endedMs] = [batch.length, free - now, free];
    ended = () => policy.called(rows, ms, endedMs);
    calls += 1;
    seen += rows;
    for (const time of batch) latency += free - time;
    if (perSecond === undefined) for (let client = 0; client < rows; client++) schedule(free + pause(thinkMs));
  }
  return { latencyMs: latency / seen, calls };
}

const atOnce = (): BatchPolicy => fixedBatches(512);

describe('batches chosen from measurement', () => {
  it('find the fixed part of a call and that of a row, and make calls of which the fixed part is a twentieth', () => {
    const policy = new AdaptiveBatches();
    for (let rows = 1; rows <= 30; rows++) policy.called(rows, 2 + 0.1 * rows, 0);
    expect(policy.callMs(10)).toBeCloseTo(3, 6);
    expect(policy.rowsMax).toBe(400);
  });

  it('are large for a model whose rows cost nothing, and small for one whose rows are all that costs', () => {
    const [light, heavy] = [new AdaptiveBatches(), new AdaptiveBatches()];
    for (let rows = 1; rows <= 40; rows++) {
      light.called(rows, 0.05, 0);
      heavy.called(rows, 5 * rows, 0);
    }
    expect(light.rowsMax).toBe(4_096);
    expect(heavy.rowsMax).toBeGreaterThanOrEqual(8);
    expect(heavy.rowsMax).toBeLessThanOrEqual(10);
  });

  it.each<[string, Load, number]>([
    ['8 clients at once, calls of 2 ms', { clients: 8, thinkMs: 0.1, callMs: 2, rowMs: 0 }, 0.75],
    ['64 clients at once, calls of 2 ms and more', { clients: 64, thinkMs: 0.2, callMs: 2, rowMs: 0.02 }, 0.9],
    ['8 clients, calls of 5 ms', { clients: 8, thinkMs: 1, callMs: 5, rowMs: 0.1 }, 0.9],
  ])('answer clients that ask again at once sooner than a model that never waits: %s', (_, load, ratio) => {
    const [adaptive, never] = [simulate(new AdaptiveBatches(), load), simulate(atOnce(), load)];
    expect(adaptive.latencyMs).toBeLessThan(never.latencyMs * ratio);
    expect(adaptive.calls).toBeLessThan(never.calls);
  });

  it.each<[string, Load]>([
    ['600 a second, calls of 10 ms', { perSecond: 600, callMs: 10, rowMs: 0 }],
    ['200 a second, calls of 20 ms and more', { perSecond: 200, callMs: 20, rowMs: 0.2 }],
    ['5,000 a second, a quick model', { perSecond: 5_000, callMs: 0.05, rowMs: 0.001 }],
    ['20 a second', { perSecond: 20, callMs: 5, rowMs: 0.1 }],
    ['64 clients, a quick model', { clients: 64, thinkMs: 1, callMs: 0.05, rowMs: 0.001 }],
    ['clients, a model whose rows are all that costs', { clients: 8, thinkMs: 0.1, callMs: 0.01, rowMs: 2 }],
  ])('hold nobody up where a wait gains nothing: %s', (_, load) => {
    expect(simulate(new AdaptiveBatches(), load).latencyMs).toBeLessThanOrEqual(
      simulate(atOnce(), load).latencyMs * 1.01,
    );
  });

  it('answer sooner than fixed batches with a wait that suits another load', () => {
    const load = { perSecond: 100, callMs: 5, rowMs: 0.1 };
    expect(simulate(new AdaptiveBatches(), load).latencyMs).toBeLessThan(
      simulate(fixedBatches(100, 50), load).latencyMs / 2,
    );
  });

  it('do not fall for a pause of the process', () => {
    const policy = new AdaptiveBatches();
    for (let call = 1; call <= 100; call++) policy.called(1 + (call % 10), 1 + 0.1 * (1 + (call % 10)), 0);
    policy.called(1, 5_000, 0);
    expect(policy.callMs(1)).toBeLessThan(1.5);
  });
});

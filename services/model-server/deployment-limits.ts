/**
 * What deployments allow themselves in one process: requests of theirs that run at once, that wait, and that begin in a second. What came by
 * topic waits, and its partition with it; whoever calls is told to come again. The two ways wait and are paced apart, so that neither shuts
 * the other out, and take turns where one of the requests that run makes room.
 */
import { type Clock, MillraceError } from '../../runtime/ports/index.ts';
import type { LimitSettings, RateSettings } from '../../schemas/serving-settings.ts';
import type { RunTerms } from './micro-batcher.ts';
import type { Place } from './outcomes.ts';

type Way = 'calls' | 'topics';

export class DeploymentLimits {
  readonly #clock: Clock;
  readonly #limitsOf: LimitsOf | undefined;
  readonly #gates = new Map<string, Gate>();

  /** @param limitsOf what is in force now, for those that wait; @default what was when they came */
  constructor(clock: Clock, limitsOf?: LimitsOf) {
    this.#clock = clock;
    this.#limitsOf = limitsOf;
  }

  /**
   * Does the work when it is the request's turn. RATE_LIMITED or OVERLOADED when it does not wait and has to. Past its deadline a request
   * waits no longer, and takes nothing from those behind it.
   */
  async run<T>({ deployed }: Place, limits: LimitSettings, terms: PacedTerms, work: () => Promise<T>): Promise<T> {
    const gate = this.#gateOf(deployed.name);
    const way = terms.waits === true ? 'topics' : 'calls';
    if (limits.rate !== undefined) await gate.pace(limits.rate, way, terms);
    if (limits.concurrency === undefined) return await work();
    try {
      await gate.enter(limits, way, terms);
    } catch (error) {
      if (limits.rate !== undefined) gate.untake(way);
      throw error;
    }
    try {
      return await work();
    } finally {
      gate.leave(limits.concurrency);
    }
  }

  /** Whether requests by topic wait for the limits of a deployment. */
  holdsBack(name: string): boolean {
    return this.#gates.get(name)?.waitsByTopic === true;
  }

  /** For metrics: of the deployments that have limits. */
  *counts(): Iterable<{ readonly deployment: string; readonly running: number; readonly waiting: number }> {
    for (const [deployment, { running, waiting }] of this.#gates) yield { deployment, running, waiting };
  }

  #gateOf(name: string): Gate {
    let gate = this.#gates.get(name);
    if (gate === undefined) this.#gates.set(name, (gate = new Gate(name, this.#clock, this.#limitsOf)));
    return gate;
  }
}

type LimitsOf = (deployment: string) => LimitSettings | undefined;

type PacedTerms = RunTerms & { readonly deadlineMs?: number | undefined };

/** How long those that are paced wait before they are asked whether they still wait, milliseconds. */
const lookAgainMs = 250;

interface Waiter {
  readonly gone: RunTerms['gone'];
  readonly resolve: () => void;
  readonly reject: (reason: MillraceError) => void;
}

/** Limits are given with each request: a new version of the document changes them for those that come after it. */
class Gate {
  readonly #name: string;
  readonly #clock: Clock;
  readonly #limitsOf: LimitsOf | undefined;
  readonly #queues: Record<Way, Waiter[]> = { calls: [], topics: [] };
  readonly #paces: Record<Way, Pace> = { calls: new Pace(), topics: new Pace() };
  /** By topic, in the order of their coming, until there is a token for them. */
  readonly #paced: Waiter[] = [];
  #waking = false;
  #last: Way = 'topics';
  running = 0;

  constructor(name: string, clock: Clock, limitsOf: LimitsOf | undefined) {
    this.#name = name;
    this.#clock = clock;
    this.#limitsOf = limitsOf;
  }

  get waiting(): number {
    return this.#queues.calls.length + this.#queues.topics.length + this.#paced.length;
  }

  get waitsByTopic(): boolean {
    return this.#queues.topics.length + this.#paced.length > 0;
  }

  async pace(rate: RateSettings, way: Way, { gone, deadlineMs }: PacedTerms): Promise<void> {
    const pace = this.#paces[way];
    const retryAfterMs = pace.waitMs(rate, this.#clock.now());
    if (way === 'calls' && retryAfterMs > 0)
      throw new MillraceError(
        'RATE_LIMITED',
        `deployment '${this.#name}' takes ${rate.perSecond} requests a second in a process (limits.rate): try again in a while`,
        { details: { deployment: this.#name, retryAfterMs } },
      );
    if (retryAfterMs === 0 && (way === 'calls' || this.#paced.length === 0)) {
      pace.take();
      return;
    }
    const isLate = (): boolean => deadlineMs !== undefined && this.#clock.now() > deadlineMs;
    const wanted = (): MillraceError | undefined => gone?.() ?? (isLate() ? this.#late() : undefined);
    await new Promise<void>((resolve, reject) => {
      this.#paced.push({ gone: wanted, resolve, reject });
      this.#wakeLater(rate);
    });
  }

  /** What was taken for a request that was not let in after all. */
  untake(way: Way): void {
    this.#paces[way].untake();
  }

  /** In their order, one a token; who is not waited for any more takes none. A rate that was lifted holds nobody. */
  #wake(before: RateSettings): void {
    const rate = this.#limitsOf === undefined ? before : this.#limitsOf(this.#name)?.rate;
    if (rate === undefined) {
      for (const { resolve } of this.#paced.splice(0)) resolve();
      return;
    }
    const pace = this.#paces.topics;
    for (let [first] = this.#paced; first !== undefined; [first] = this.#paced) {
      const reason = first.gone?.();
      if (reason === undefined && pace.waitMs(rate, this.#clock.now()) > 0) break;
      this.#paced.shift();
      if (reason !== undefined) first.reject(reason);
      else {
        pace.take();
        first.resolve();
      }
    }
    if (this.#paced.length > 0) this.#wakeLater(rate);
  }

  #wakeLater(rate: RateSettings): void {
    if (this.#waking) return;
    this.#waking = true;
    const waitMs = Math.min(lookAgainMs, Math.max(1, this.#paces.topics.waitMs(rate, this.#clock.now())));
    this.#clock.after(waitMs, () => {
      this.#waking = false;
      this.#wake(rate);
    });
  }

  #late(): MillraceError {
    return new MillraceError('TIMEOUT', `the deadline passed while deployment '${this.#name}' was paced (limits.rate)`);
  }

  enter({ concurrency = 1, queue = defaultQueue }: LimitSettings, way: Way, { gone }: RunTerms): Promise<void> {
    if (this.running < concurrency && this.#queues.calls.length + this.#queues.topics.length === 0) {
      this.running += 1;
      return Promise.resolve();
    }
    const waiting = this.#queues[way];
    if (way === 'calls' && waiting.length >= queue) {
      this.#queues.calls = wanted(waiting);
      if (this.#queues.calls.length >= queue) return Promise.reject(this.#overloaded(concurrency, queue));
    }
    return new Promise((resolve, reject) => {
      this.#queues[way].push({ gone, resolve, reject });
      this.#next(concurrency);
    });
  }

  leave(concurrency: number): void {
    this.running -= 1;
    this.#next(concurrency);
  }

  #next(concurrency: number): void {
    while (this.running < concurrency) {
      const waiter = this.#longest();
      if (waiter === undefined) return;
      const reason = waiter.gone?.();
      if (reason !== undefined) waiter.reject(reason);
      else {
        this.running += 1;
        waiter.resolve();
      }
    }
  }

  /** Of the other way than the last, if somebody waits there. */
  #longest(): Waiter | undefined {
    const other = this.#last === 'calls' ? 'topics' : 'calls';
    const way = this.#queues[other].length > 0 ? other : this.#last;
    this.#last = way;
    return this.#queues[way].shift();
  }

  #overloaded(concurrency: number, queue: number): MillraceError {
    return new MillraceError(
      'OVERLOADED',
      `${concurrency} requests of deployment '${this.#name}' run and ${queue} wait, the most allowed (limits.concurrency, limits.queue): try again in a while`,
      { details: { deployment: this.#name, concurrency, queue } },
    );
  }
}

/** A bucket of tokens, one a request: full at first, and filled at the rate. */
class Pace {
  #tokens = Number.POSITIVE_INFINITY;
  #at = 0;

  /** Until the next request may begin. */
  waitMs({ perSecond, burst = Math.max(1, perSecond) }: RateSettings, now: number): number {
    const filled = this.#tokens + (Math.max(0, now - this.#at) * perSecond) / 1_000;
    this.#tokens = Math.min(burst, filled);
    this.#at = now;
    return this.#tokens >= 1 ? 0 : Math.ceil(((1 - this.#tokens) * 1_000) / perSecond);
  }

  take(): void {
    this.#tokens -= 1;
  }

  untake(): void {
    this.#tokens += 1;
  }
}

/** Those that somebody waits for still; the others hear why they end. */
function wanted(queue: readonly Waiter[]): Waiter[] {
  return queue.filter(({ gone, reject }) => {
    const reason = gone?.();
    if (reason !== undefined) reject(reason);
    return reason === undefined;
  });
}

const defaultQueue = 100;

/**
 * Decisions that topologies take on request: a call publishes its request and waits for the fact with its request id. Facts are kept
 * (bounded), so the same request again gets the stored answer.
 */
import type { Running, Runtime } from '../../runtime/engine/runtime.ts';
import { type Clock, type ErrorCode, errorCodes, MillraceError } from '../../runtime/ports/index.ts';
import type { DeploymentApplied, EventData, FlowDeployed, RunRequested } from '../../schemas/events.ts';
import { answerKey, type Fact, keyOfFact } from './decision-keys.ts';

export type Decision =
  | { readonly type: 'deployment-applied'; readonly data: Pick<DeploymentApplied, 'version'> }
  | { readonly type: 'deployment-removed'; readonly data: EventData['deployment-events']['deployment-removed'] }
  | { readonly type: 'rollout-moved'; readonly data: EventData['deployment-events']['rollout-moved'] }
  | { readonly type: 'alias-set'; readonly data: EventData['registry']['alias-set'] }
  | { readonly type: 'version-registered'; readonly data: EventData['registry']['version-registered'] }
  | { readonly type: 'flow-deployed'; readonly data: Pick<FlowDeployed, 'version' | 'token'> }
  | { readonly type: 'flow-controlled'; readonly data: EventData['starts']['flow-controlled'] }
  | { readonly type: 'backfill-accepted'; readonly data: EventData['starts']['backfill-accepted'] }
  | { readonly type: 'run-requested'; readonly data: Pick<RunRequested, 'runId' | 'version'> }
  | { readonly type: 'run-tags-changed'; readonly data: Pick<EventData['runs']['run-tags-changed'], 'tags'> }
  | { readonly type: 'start-queued'; readonly data: EventData['starts']['start-queued'] }
  | { readonly type: 'start-skipped'; readonly data: EventData['starts']['start-skipped'] }
  | { readonly type: 'edited'; readonly data: EventData['registry']['edited'] }
  | { readonly type: 'experiment-created'; readonly data: EventData['experiments']['experiment-created'] }
  | { readonly type: 'experiment-changed'; readonly data: EventData['experiments']['experiment-changed'] }
  | { readonly type: 'attribution-computed'; readonly data: EventData['attributions']['attribution-computed'] }
  | { readonly type: 'record-redacted'; readonly data: EventData['audit-seals']['record-redacted'] }
  | { readonly type: 'webhook-set'; readonly data: EventData['webhook-events']['webhook-set'] }
  | { readonly type: 'webhook-removed'; readonly data: EventData['webhook-events']['webhook-removed'] }
  | { readonly type: 'refused'; readonly code: ErrorCode; readonly reason: string };

export type DecisionType = Exclude<Decision['type'], 'refused'>;
export type DecisionOf<T extends DecisionType> = Extract<Decision, { type: T }>['data'];
export type AnyDecision<T extends DecisionType> = Extract<Decision, { type: T }>;

const answersMax = 10_000;
/** Who has not heard a decision by then looks for one that was taken before he listened. */
const lookAfterMs = 1_000;

export class Decisions {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #answers = new Map<string, Decision>();
  readonly #waiting = new Map<string, Set<(decision: Decision) => void>>();
  #followers: readonly Running[] = [];

  private constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** Follows the facts; resolves when those that exist are known. */
  static async open(runtime: Runtime, timeoutMs: number): Promise<Decisions> {
    const decisions = new Decisions(runtime.parts.clock, timeoutMs);
    decisions.#followers = await Promise.all([
      runtime.follow('deployment-events', { from: 'earliest', onEvent: (event) => decisions.#hear(event) }),
      runtime.follow('registry', { from: 'earliest', onEvent: (event) => decisions.#hear(event) }),
      runtime.follow('experiments', { from: 'earliest', onEvent: (event) => decisions.#hear(event) }),
      runtime.follow('webhook-events', { from: 'earliest', onEvent: (event) => decisions.#hear(event) }),
      runtime.follow('attributions', { from: 'latest', onEvent: (event) => decisions.#hear(event) }),
      runtime.follow('audit-seals', { from: 'latest', onEvent: (event) => decisions.#hear(event) }),
      runtime.follow('starts', { from: 'earliest', onEvent: (event) => decisions.#hear(event) }),
      runtime.follow('runs', { from: 'latest', onEvent: (event) => decisions.#hear(event) }),
    ]);
    await Promise.all(decisions.#followers.map((follower) => follower.ready()));
    return decisions;
  }

  /**
   * Asks and waits. INVALID_ARGUMENT, or the code of the refusal, with the reason when it is refused; TIMEOUT when nobody decides in time: the same request id
   * asks again.
   */
  async ask<T extends DecisionType>(
    type: T,
    subject: string,
    requestId: string,
    publish: () => Promise<void>,
  ): Promise<DecisionOf<T>> {
    const decision: { readonly data?: unknown } = await this.askAny([type], subject, requestId, publish);
    return decision.data as DecisionOf<T>;
  }

  /**
   * Like `ask`, where several decisions are answers. `taken` finds the decision on a request that is repeated where nobody heard it: the log
   * has it once, so it is not said again.
   */
  async askAny<T extends DecisionType>(
    type: readonly T[],
    subject: string,
    requestId: string,
    publish: () => Promise<void>,
    taken?: () => Promise<AnyDecision<T> | undefined>,
  ): Promise<AnyDecision<T>> {
    const key = answerKey(type[0] ?? '', subject, requestId);
    const known = this.#answers.get(key);
    if (known !== undefined) return expected(type, known);
    let heard: (decision: Decision) => void = () => undefined;
    const cancels: (() => void)[] = [];
    const decided = new Promise<Decision>((resolve, reject) => {
      heard = resolve;
      const tooLate = (): void => reject(undecided(subject, requestId, this.#timeoutMs));
      const look = async (): Promise<void> => {
        const decision = await taken?.().catch(() => undefined);
        if (decision !== undefined) resolve(decision);
      };
      cancels.push(
        this.#clock.after(this.#timeoutMs, tooLate),
        this.#clock.after(lookAfterMs, () => void look()),
      );
    });
    const waiting = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, waiting.add(heard));
    try {
      const [decision] = await Promise.all([decided, publish()]);
      return expected(type, decision);
    } finally {
      for (const cancel of cancels) cancel();
      waiting.delete(heard);
      if (waiting.size === 0) this.#waiting.delete(key);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#followers.map((follower) => follower.close()));
  }

  #hear(event: { readonly type: string; readonly data: unknown }): void {
    const answer = answerOf(event);
    if (answer === undefined) return;
    const { key, decision } = answer;
    // A start that waited is a run by now, or was withdrawn.
    const known = this.#answers.get(key);
    if (known !== undefined && (known.type !== 'start-queued' || decision.type === 'start-queued')) return;
    // "Ask again" is no answer to who does.
    const passing = decision.type === 'refused' && decision.code === 'UNAVAILABLE';
    if (!passing) this.#answers.set(key, decision);
    if (this.#answers.size > answersMax) {
      for (const oldest of this.#answers.keys()) {
        this.#answers.delete(oldest);
        break;
      }
    }
    for (const heard of this.#waiting.get(key) ?? []) heard(decision);
  }
}

function answerOf({
  type,
  data,
}: {
  readonly type: string;
  readonly data: unknown;
}): { readonly key: string; readonly decision: Decision } | undefined {
  const fact = data as Fact;
  const key = keyOfFact(type, fact);
  if (key === undefined) return undefined;
  if (type.endsWith('-refused'))
    return { key, decision: { type: 'refused', code: codeOf(fact), reason: fact.reason ?? '' } };
  return { key, decision: { type, data: kept(type, data) } as Decision };
}

/** Facts that hold a graph or a document would be megabytes by the thousand: of those, what answers say. */
function kept(type: string, data: unknown): unknown {
  switch (type) {
    case 'deployment-applied':
      return { version: (data as DeploymentApplied).version };
    case 'flow-deployed':
      return { version: (data as FlowDeployed).version, token: (data as FlowDeployed).token };
    case 'run-requested':
      return { runId: (data as RunRequested).runId, version: (data as RunRequested).version };
    default:
      return data;
  }
}

function expected<T extends DecisionType>(types: readonly T[], decision: Decision): AnyDecision<T> {
  if ((types as readonly string[]).includes(decision.type)) return decision as AnyDecision<T>;
  if (decision.type === 'refused') throw new MillraceError(decision.code, decision.reason);
  throw new MillraceError('CONFLICT', `the request id was used before, for another request (${decision.type})`);
}

function undecided(subject: string, requestId: string, timeoutMs: number): MillraceError {
  return new MillraceError(
    'TIMEOUT',
    `no decision on '${subject}' within ${timeoutMs} ms: ask again with the header Idempotency-Key: ${requestId}`,
  );
}

const codeOf = ({ code = '' }: Fact): ErrorCode =>
  Object.hasOwn(errorCodes, code) ? (code as ErrorCode) : 'INVALID_ARGUMENT';

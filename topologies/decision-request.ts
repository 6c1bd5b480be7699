/**
 * Requests that a topology decides once: the first arrival of a requestId is answered by a fact that carries it; a repeat changes
 * nothing and says nothing, because its answer is on the topic already. Where machines ask, requests are remembered for a week: those
 * of records that lie together are kept in one list, with one timer, because a timer for each would be as many as there were requests.
 */
import type { DueTimer, Effects, Output, RecordMeta, StateView, TimerSpec } from '../runtime/engine/topology.ts';

export type Decision = { readonly refused: string } | (Effects & { readonly refused?: undefined });

export interface DecisionRequest {
  /** What the request is about: model, deployment. */
  readonly subject: string;
  readonly requestId: string;
  /** What is wrong with the subject's name; undefined when nothing is. */
  readonly nameProblem: string | undefined;
  /** Where it lies, so that it is forgotten; its topology reads {@link memoryKey}. @default it is remembered for good */
  readonly place?: Place;
}

type Place = Pick<RecordMeta, 'timeMs' | 'offset'>;

/** Decides a request at its first arrival. A request without a usable id or subject is refused and not remembered. */
export function decideOnce(
  request: DecisionRequest,
  state: StateView,
  decide: () => Decision,
  refusal: (reason: string) => Output,
): Effects {
  const { subject, requestId, nameProblem } = request;
  const malformed = nameProblem ?? requestIdProblem(requestId);
  if (malformed !== undefined) return { emit: [refusal(malformed)], count: { refused: 1 } };
  const answered = decisionKey(subject, requestId);
  if (state.get(answered) !== undefined) return { count: { repeated: 1 } };
  const decision = decide();
  const memory = request.place === undefined ? undefined : remembered(answered, request.place, state);
  const listed = memory === undefined ? [] : [memory.put];
  const memoryTimers = memory?.setTimers ?? [];
  if (decision.refused !== undefined) {
    return {
      put: [[answered, 'refused'], ...listed],
      setTimers: memoryTimers,
      emit: [refusal(decision.refused)],
      count: { refused: 1 },
    };
  }
  return {
    ...decision,
    put: [[answered, 'accepted'], ...listed, ...(decision.put ?? [])],
    setTimers: [...(decision.setTimers ?? []), ...memoryTimers],
    count: { ...decision.count, accepted: 1 },
  };
}

/** State key of the decision on `requestId` about `subject`. */
export function decisionKey(subject: string, requestId: string): string {
  return stateKey('request', subject, requestId);
}

const keptMs = 7 * 86_400_000;
/** Lists end together, so that an idle partition needs few ticks. */
const grainMs = 3_600_000;
const listMax = 128;
const forgetPrefix = 'forget/';

/** State key of the list on which a record's request is remembered; follows from the record alone, so that it can be read before the fold. */
export function memoryKey({ timeMs, offset }: Place): string {
  return stateKey('remembered', Math.ceil((timeMs + keptMs) / grainMs) * grainMs, Math.floor(offset / listMax));
}

/** Puts the key of a decision on its list. */
export function remembered(
  answered: string,
  place: Place,
  state: StateView,
): { readonly put: readonly [key: string, value: unknown]; readonly setTimers: readonly TimerSpec[] } {
  const list = memoryKey(place);
  const before = state.get<string>(list);
  const timer = { name: forgetPrefix + list, dueMs: Number(list.split('/')[1]), reads: { keys: [list] } };
  return {
    put: [list, before === undefined ? answered : `${before} ${answered}`],
    setTimers: before === undefined ? [timer] : [],
  };
}

/** Serves the timers of lists; undefined for any other timer. */
export function forgetDecisions({ name }: DueTimer, state: StateView): Effects | undefined {
  if (!name.startsWith(forgetPrefix)) return undefined;
  const list = name.slice(forgetPrefix.length);
  const keys = state.get<string>(list)?.split(' ') ?? [];
  return { delete: [list, ...keys], count: { requestsForgotten: keys.length } };
}

/**
 * A state key of plain ASCII within the store's limit, also for names that will be refused. The cut can only join names that are
 * over their limits.
 */
export function stateKey(kind: string, ...parts: readonly (string | number)[]): string {
  return [kind, ...parts.map((part) => encodeURIComponent(part).slice(0, partMax))].join('/');
}

const partMax = 400;

function requestIdProblem(requestId: string): string | undefined {
  return /^[\x21-\x7e]{1,128}$/.test(requestId)
    ? undefined
    : `requestId must be 1 to 128 printable ASCII characters, got ${JSON.stringify(requestId.slice(0, 130))}`;
}

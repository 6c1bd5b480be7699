/**
 * Requests that a topology decides once: the first arrival of a requestId is answered by a fact that carries it; a repeat changes
 * nothing and says nothing, because its answer is on the topic already.
 */
import type { Effects, Output, StateView } from '../runtime/engine/topology.ts';

export type Decision = { readonly refused: string } | (Effects & { readonly refused?: undefined });

export interface DecisionRequest {
  /** What the request is about: model, deployment. */
  readonly subject: string;
  readonly requestId: string;
  /** What is wrong with the subject's name; undefined when nothing is. */
  readonly nameProblem: string | undefined;
}

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
  if (decision.refused !== undefined) {
    return { put: [[answered, 'refused']], emit: [refusal(decision.refused)], count: { refused: 1 } };
  }
  return {
    ...decision,
    put: [[answered, 'accepted'], ...(decision.put ?? [])],
    count: { ...decision.count, accepted: 1 },
  };
}

/** State key of the decision on `requestId` about `subject`. */
export function decisionKey(subject: string, requestId: string): string {
  return stateKey('request', subject, requestId);
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

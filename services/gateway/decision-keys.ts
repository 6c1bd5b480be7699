/** Under what an answer to a request is found: the kind of object, its name, the request's id. */

/** The fields that name what a decision is about. */
export interface Fact {
  readonly requestId?: string;
  readonly attributionId?: string;
  readonly predictionId?: string;
  readonly model?: string;
  readonly deployment?: string;
  readonly flow?: string;
  readonly runId?: string;
  readonly experimentId?: string;
  readonly webhook?: string;
  /** Of an audited record. */
  readonly topic?: string;
  readonly partition?: number;
  readonly offset?: number;
  readonly code?: string;
  readonly reason?: string;
  readonly cause?: { readonly kind: string; readonly id: string };
}

type Subject = 'predictionId' | 'model' | 'deployment' | 'flow' | 'runId' | 'experimentId' | 'webhook' | 'record';

/** What each event decides on. One request id may be used for a model, a deployment and a flow of the same name. */
const subjects: Readonly<Record<Subject, readonly string[]>> = {
  deployment: ['deployment-applied', 'deployment-removed', 'deployment-refused', 'rollout-moved', 'rollout-refused'],
  model: ['alias-set', 'version-registered', 'edited', 'registry-refused'],
  flow: [
    ...['flow-deployed', 'flow-controlled', 'backfill-accepted'],
    ...['run-requested', 'start-queued', 'start-skipped', 'start-refused'],
  ],
  runId: ['run-tags-changed', 'run-tags-refused'],
  experimentId: ['experiment-created', 'experiment-changed', 'experiment-refused'],
  predictionId: ['attribution-computed', 'attribution-refused'],
  webhook: ['webhook-set', 'webhook-removed', 'webhook-refused'],
  record: ['record-redacted', 'redaction-refused'],
};
const subjectOfType = new Map(
  Object.entries(subjects).flatMap(([subject, types]) => types.map((type) => [type, subject as Subject])),
);

export function answerKey(type: string, subject: string, requestId: string): string {
  return `${subjectOfType.get(type) ?? ''}\u0000${subject}\u0000${requestId}`;
}

/** The key of the request that an event answers; undefined for an event that answers none. */
export function keyOfFact(type: string, fact: Fact): string | undefined {
  const subject = subjectOfType.get(type);
  if (subject === undefined) return undefined;
  const { topic, partition, offset, requestId, attributionId, cause } = fact;
  const name = subject === 'record' ? `${topic}/${partition}@${offset}` : (fact[subject] ?? '');
  if (type !== 'run-requested') return answerKey(type, name, requestId ?? attributionId ?? '');
  const isAsked = cause?.kind === 'manual' || cause?.kind === 'resume';
  return isAsked ? answerKey(type, name, cause.id) : undefined;
}

/** Calls from inside of the process in the terms of the Open Inference Protocol: how a request is read, and how its outcome is said. */
import type { Tensor } from '../../runtime/ports/index.ts';
import { type AnswerForm, formInferResponse } from './open-inference/index.ts';
import type { Outcome } from './outcomes.ts';
import { inferResponse, openResponse } from './replies.ts';

/** A request from inside of the process. */
export interface InferRequest {
  readonly deployment: string;
  readonly inputs: readonly Tensor[];
  /** The user's entity: key of the outcome. @default the client id, else an id of its own */
  readonly entity?: string | undefined;
  /** Makes a repeat give the stored outcome; unique per source and entity. */
  readonly clientId?: string | undefined;
  /** Who gave the client id. @default 'http' */
  readonly source?: string | undefined;
  /** Outputs that the answer shall have. @default all */
  readonly outputNames?: readonly string[] | undefined;
  /** Milliseconds since the epoch. */
  readonly deadlineMs?: number | undefined;
  /** When what it is about happened, milliseconds since the epoch. @default when it was received */
  readonly eventTimeMs?: number | undefined;
  /** Oldest version of the deployment that may answer. @default 1 */
  readonly versionMin?: number | undefined;
  /** Route to take as long as it has traffic, as `x-seldon-route` names it. @default shared out by the weights */
  readonly route?: string | undefined;
  /** Whether whoever asked has gone: what has not run yet is then dropped, unless it has a client's id, by which it may be asked again. */
  readonly cancelled?: (() => boolean) | undefined;
}

/** The same, as it came: what cannot be read is a failure on `predictions` too. */
export interface OpenInferRequest extends Omit<InferRequest, 'inputs' | 'outputNames' | 'versionMin' | 'eventTimeMs'> {
  /** ISO 8601. */
  readonly deadline?: string | undefined;
  readonly versionMin?: string | undefined;
  /** Header or CloudEvent, as it came; the parameter `event_time` of the request comes before it. */
  readonly eventTime?: string | undefined;
  /** Parsed JSON of Open Inference Protocol v2, or what makes it of another format. */
  readonly body: unknown;
  /** What came behind the JSON. */
  readonly binary?: Uint8Array | undefined;
}

export type OpenInferAnswer =
  | {
      readonly type: 'completed';
      readonly predictionId: string;
      readonly route: string;
      readonly body: object;
      /** To be put behind the JSON of `body`. */
      readonly binary?: Uint8Array | undefined;
    }
  | FailedAnswer;

interface FailedAnswer {
  readonly type: 'failed';
  readonly predictionId: string;
  readonly code: string;
  readonly message: string;
}

export function openAnswer(outcome: Outcome, form: AnswerForm | undefined): OpenInferAnswer {
  if (outcome.type !== 'completed') return failedAnswer(outcome);
  const {
    predictionId,
    data: { route },
  } = outcome;
  if (form === undefined) return { type: 'completed', predictionId, route, body: inferResponse(outcome) };
  const { body, binary } = formInferResponse(openResponse(outcome), form);
  return { type: 'completed', predictionId, route, body, binary };
}

function failedAnswer(outcome: Exclude<Outcome, { type: 'completed' }>): FailedAnswer {
  const { predictionId } = outcome;
  if (outcome.type === 'conflicted')
    return { type: 'failed', predictionId, code: 'CONFLICT', message: outcome.message };
  return { type: 'failed', predictionId, code: outcome.data.code, message: outcome.data.message };
}

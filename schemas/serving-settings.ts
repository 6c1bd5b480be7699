/** How a deployment answers beyond its routes: answers that are kept, and what of a request is recorded. */
import { hash } from 'node:crypto';
import { Type } from 'typebox';

export interface CacheSettings {
  /** Answers that a process keeps for this deployment; the one that was unused for longest goes first. */
  readonly entries: number;
  /** An answer is not given again after so long. */
  readonly ttlMs: number;
}

export interface PayloadSettings {
  /** Input tensors that are not recorded, or columns of one of floats (`X[3]`), which are recorded as missing. */
  readonly redact?: readonly string[];
  /** Share of the predictions whose inputs are recorded; monitors see those alone. @default 1 */
  readonly share?: number;
}

/** Each is of one process that serves the deployment; answers that were kept count for none of them. */
export interface LimitSettings {
  /** Requests that run at once. @default as many as the process takes */
  readonly concurrency?: number;
  /** Requests by HTTP and gRPC that wait for their turn to run; more are turned away. Only with `concurrency`. @default 100 */
  readonly queue?: number;
  /** Requests that begin in a second: those by HTTP and gRPC are turned away beyond it, those by topic wait. @default any number */
  readonly rate?: RateSettings;
  /** From when a request is taken up to its answer; then it has failed. A deadline of its own that is earlier comes first. @default none */
  readonly timeoutMs?: number;
}

export interface RateSettings {
  readonly perSecond: number;
  /** Requests that may begin together after a pause. @default those of a second, at least 1 */
  readonly burst?: number;
}

export const limitSchema = Type.Object(
  {
    concurrency: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 100_000, description: 'requests that run at once; default any number' }),
    ),
    queue: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 1_000_000,
        description: 'requests by HTTP and gRPC that wait for their turn, with concurrency; default 100',
      }),
    ),
    rate: Type.Optional(
      Type.Object(
        {
          perSecond: Type.Number({ exclusiveMinimum: 0, maximum: 1_000_000 }),
          burst: Type.Optional(
            Type.Number({ minimum: 1, maximum: 1_000_000, description: 'default those of a second, at least 1' }),
          ),
        },
        { additionalProperties: false, description: 'requests that begin in a second; default any number' },
      ),
    ),
    timeoutMs: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 86_400_000, description: 'of a request; default none but its deadline' }),
    ),
  },
  {
    additionalProperties: false,
    description: 'of each process that serves the deployment; default: those of the process',
  },
);

export const cacheSchema = Type.Object(
  {
    entries: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
    ttlMs: Type.Integer({ minimum: 1, maximum: 366 * 86_400_000 }),
  },
  { additionalProperties: false, description: 'give equal inputs the answer that they got before; default: never' },
);

export const payloadSchema = Type.Object(
  {
    redact: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 256 }), {
        maxItems: 1_000,
        description: 'input tensors that are not recorded, or columns of one of floats, such as X[3]',
      }),
    ),
    share: Type.Optional(
      Type.Number({ minimum: 0, maximum: 1, description: 'of the predictions whose inputs are recorded; default 1' }),
    ),
  },
  { additionalProperties: false },
);

/** Whether the inputs of a prediction are recorded: by a hash of its id. */
export function isRecorded(predictionId: string, share: number): boolean {
  const digest = hash('sha256', `recorded\u0000${predictionId}`, 'hex');
  return Number.parseInt(digest.slice(0, 12), 16) < share * 2 ** 48;
}

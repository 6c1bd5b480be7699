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

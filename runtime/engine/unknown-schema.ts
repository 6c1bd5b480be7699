import { type EventCodec, PoisonError } from '../../schemas/codec/event-codec.ts';
import { hasCode } from '../ports/errors.ts';

/**
 * Why a record's schema is not at hand, after it was asked for: "the registry has no such schema" is a verdict on the record. Rejects when
 * the registry does not answer, which stops a batch.
 */
export async function unknownSchemaOf(value: Buffer | null, codec: EventCodec): Promise<Error | undefined> {
  if (value === null || codec.isPrepared(value)) return undefined;
  try {
    await codec.prepare([value]);
    return undefined;
  } catch (error) {
    if (hasCode(error, 'UNKNOWN_SCHEMA') || error instanceof PoisonError) return error;
    throw error;
  }
}

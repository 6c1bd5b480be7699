import type { Runtime } from '../../../runtime/engine/runtime.ts';
import { MillraceError } from '../../../runtime/ports/errors.ts';
import type { AttributionRequested, PredictionCompleted } from '../../../schemas/events.ts';

type Place = Pick<AttributionRequested, 'predictionId' | 'source'>;

/** The prediction that a request names, read back from the log. NOT_FOUND when it is not there any more, INVALID_ARGUMENT when it failed. */
export async function predictionAt(runtime: Runtime, { predictionId, source }: Place): Promise<PredictionCompleted> {
  const { partition, offset } = source;
  const from = { topic: runtime.topic('predictions'), partition };
  for await (const records of runtime.parts.log.read(from, { from: offset, to: offset + 1 })) {
    for (const record of records) {
      if (record.offset !== offset) continue;
      const event = await runtime.decode('predictions', record);
      if (event.type === 'prediction-failed') {
        throw new MillraceError('INVALID_ARGUMENT', `prediction ${predictionId} failed: ${event.data.message}`);
      }
      if (event.type === 'prediction-completed' && event.data.predictionId === predictionId) return event.data;
    }
  }
  throw new MillraceError(
    'NOT_FOUND',
    `prediction ${predictionId} is not on the log at predictions/${partition}@${offset}`,
  );
}

import { MillraceError } from '../ports/errors.ts';
import type { OutgoingRecord } from '../ports/log.ts';
import type { EngineContext } from './engine-context.ts';
import { checkClaims, encodeOutput, outgoingRecord } from './output-encoder.ts';
import type { PublishedAt } from './runtime.ts';
import type { IdentifiedOutput } from './service.ts';

/** Encodes what a service says under ids of its own; an output for all partitions becomes one record each. */
export function encodeIdentified(
  outputs: readonly IdentifiedOutput[],
  by: string,
  context: EngineContext,
): OutgoingRecord[] {
  const records: OutgoingRecord[] = [];
  for (const output of outputs) encodeIdentifiedInto(records, output, by, context);
  return records;
}

/** Adds the records of one output; none when it throws. */
export function encodeIdentifiedInto(
  records: OutgoingRecord[],
  output: IdentifiedOutput,
  by: string,
  context: EngineContext,
): void {
  const { id, traceparent } = output;
  if (id === '' || id.includes('/')) {
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `the id '${id}' of ${output.topic}/${output.type} must not be empty or contain a slash`,
    );
  }
  const said = { id, by, timeMs: context.parts.clock.now(), traceparent };
  const encoded = encodeOutput(output, context.encoding);
  for (const partition of encoded.partitions) records.push(outgoingRecord(encoded, partition, said, context.encoding));
}

/** Says something outside of any task; resolves when acknowledged. Positions use catalogue names. */
export async function publish(
  outputs: readonly IdentifiedOutput[],
  by: string,
  context: EngineContext,
): Promise<readonly PublishedAt[]> {
  const records = encodeIdentified(outputs, by, context);
  const catalogueNames = outputs.flatMap((output) =>
    output.partition === 'all'
      ? Array.from({ length: context.encoding.partitions(output.topic) }, () => output.topic)
      : [output.topic],
  );
  await checkClaims(records, context.parts.blobs);
  const offsets = await context.parts.log.append(records);
  return records.map(({ partition }, index) => ({
    topic: catalogueNames[index] ?? '',
    partition,
    offset: offsets[index] ?? -1,
  }));
}

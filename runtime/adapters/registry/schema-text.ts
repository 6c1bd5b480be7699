import { canonicalSchema } from '../../../schemas/codec/canonical-schema.ts';
import { fullTransitiveProblems } from '../../../schemas/codec/compatibility.ts';
import { generatedTexts } from '../../../schemas/codec/generated-texts.ts';
import { MillraceError, messageOf } from '../../ports/errors.ts';

/** The canonical text; INVALID_ARGUMENT when it is no schema. */
export function canonical(subject: string, schema: string): string {
  // To parse each again would take longer than the rest of a first start's registrations.
  if (generatedTexts.has(schema)) return schema;
  try {
    return canonicalSchema(schema);
  } catch (cause) {
    const message = `The text for subject "${subject}" is not a valid Avro schema: ${messageOf(cause)}`;
    throw new MillraceError('INVALID_ARGUMENT', message, { cause, details: { subject } });
  }
}

/** Throws INCOMPATIBLE_SCHEMA, which names subject, version and fields. */
export function refuseIncompatible(subject: string, schema: string, versions: readonly string[]): void {
  const broken = fullTransitiveProblems(schema, versions);
  if (broken === undefined) return;
  const says = broken.problems.map(
    ({ field, says: why }) => `${field === '' ? 'the schema' : `field "${field}"`}: ${why}`,
  );
  throw new MillraceError(
    'INCOMPATIBLE_SCHEMA',
    `The schema for subject "${subject}" is not FULL_TRANSITIVE compatible with version ${broken.version}: ${says.join('; ')}. ` +
      'Give added fields a default, keep what had none, or say a new event.',
    { details: { subject, version: broken.version, problems: broken.problems } },
  );
}

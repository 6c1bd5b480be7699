import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';

/** One rule of a schema that a value breaks. */
export interface Breach {
  /** `routes.0.name`; '' is the value itself. */
  readonly path: string;
  /** The rule and what was there instead. */
  readonly says: string;
}

const breachesMax = 20;

export function breaches(schema: TSchema, value: unknown): readonly Breach[] {
  const found: Breach[] = [];
  for (const error of Value.Errors(schema, value)) {
    if (error.keyword === 'additionalProperties') continue;
    const path = error.instancePath.slice(1).replaceAll('/', '.');
    const got = Value.Pointer.Get(value, error.instancePath);
    const rule =
      error.keyword === 'boolean'
        ? 'is not a known property'
        : error.keyword === 'enum'
          ? `must be one of ${(error.params.allowedValues as readonly unknown[]).join(', ')}`
          : error.message;
    const seen = error.keyword === 'required' || error.keyword === 'boolean' ? '' : `, got ${described(got)}`;
    found.push({ path, says: `${rule}${seen}` });
    if (found.length >= breachesMax) break;
  }
  return found;
}

function described(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

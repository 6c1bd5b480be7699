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
        ? `is not a known property${elsewhere(schema, path)}`
        : error.keyword === 'enum'
          ? `must be one of ${(error.params.allowedValues as readonly unknown[]).join(', ')}`
          : error.message;
    const seen = error.keyword === 'required' || error.keyword === 'boolean' ? '' : `, got ${described(got)}`;
    found.push({ path, says: `${rule}${seen}` });
    if (found.length >= breachesMax) break;
  }
  return found;
}

/** Where a property of that name belongs, or which ones there are; '' when the schema does not say. */
function elsewhere(schema: TSchema, path: string): string {
  const names = path.split('.');
  const name = names.pop() ?? '';
  const place = places(schema, '').find((known) => known === name || known.endsWith(`.${name}`));
  if (place !== undefined) return `; there is ${place}`;
  const known = Object.keys(propertiesAt(schema, names));
  return known.length === 0 || known.length > 20 ? '' : `; known are ${known.join(', ')}`;
}

interface Shape {
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly items?: Shape;
}

function propertiesAt(schema: Shape, path: readonly string[]): Readonly<Record<string, Shape>> {
  let at: Shape | undefined = schema;
  for (const name of path) at = at?.properties?.[name] ?? at?.items;
  return at?.properties ?? {};
}

/** Paths of the properties of objects within objects; lists are left out. */
function places({ properties = {} }: Shape, prefix: string): readonly string[] {
  return Object.entries(properties).flatMap(([name, shape]) => [
    `${prefix}${name}`,
    ...places(shape, `${prefix}${name}.`),
  ]);
}

function described(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

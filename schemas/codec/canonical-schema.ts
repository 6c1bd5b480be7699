import avro from 'avsc';

/**
 * One spelling of an Avro schema: valid for avsc, without white space, the keys of every object in a fixed order. Two texts that say
 * the same have the same canonical text; documentation, defaults and aliases are kept, because readers use them.
 *
 * @throws Error when the text is not JSON or not a valid Avro schema; its message says where.
 */
export function canonicalSchema(text: string): string {
  const schema: unknown = JSON.parse(text);
  avro.Type.forSchema(schema as avro.Schema, { wrapUnions: 'always' });
  return JSON.stringify(ordered(schema));
}

const keyOrder = [
  'type',
  'name',
  'namespace',
  'doc',
  'aliases',
  'logicalType',
  'symbols',
  'items',
  'values',
  'size',
  'fields',
];

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, child]) => [key, ordered(child)]));
}

function rank(key: string): number {
  const index = keyOrder.indexOf(key);
  return index < 0 ? keyOrder.length : index;
}

import { describe, expect, it } from 'vitest';
import { canonicalSchema } from '../../../schemas/codec/canonical-schema.ts';
import { fullProblems, fullTransitiveProblems } from '../../../schemas/codec/compatibility.ts';

const record = (...fields: readonly object[]): string =>
  JSON.stringify({ type: 'record', name: 'Thing', namespace: 'a', fields });
const field = (type: unknown, fallback?: unknown): object => ({
  name: 'x',
  type,
  ...(fallback === undefined ? {} : { default: fallback }),
});
const id = { name: 'id', type: 'string' };
const level = (symbols: readonly string[], fallback?: string): object =>
  field({ type: 'enum', name: 'Level', symbols, ...(fallback === undefined ? {} : { default: fallback }) });
const inner = (...fields: readonly object[]): object => ({ type: 'record', name: 'Inner', fields });

/** Each pair is judged alike in both directions: FULL is symmetric. */
const compatible: readonly (readonly [string, string, string])[] = [
  ['an added field with a default', record(id), record(id, field('int', 0))],
  ['an optional field', record(id), record(id, field(['null', 'string'], null))],
  ['another order of fields', record(id, field('int')), record(field('int'), id)],
  ['a changed doc', record(id), record({ ...id, doc: 'new words' })],
  ['another order of union branches', record(field(['null', 'string'])), record(field(['string', 'null']))],
  ['an added symbol of an enum with a default', record(level(['low'], 'low')), record(level(['low', 'high'], 'low'))],
  ['a change inside a nested record', record(field(inner(id))), record(field(inner(id, field('int', 1))))],
];

const incompatible: readonly (readonly [string, string, string, string])[] = [
  ['an added field without a default', record(id), record(id, field('int')), 'x'],
  ['a promoted type', record(field('int')), record(field('long')), 'x'],
  ['string and bytes', record(field('string')), record(field('bytes')), 'x'],
  ['an added branch', record(field(['null', 'string'])), record(field(['null', 'string', 'int'])), 'x'],
  ['a field that becomes optional', record(field('string')), record(field(['null', 'string'])), 'x'],
  ['an added symbol', record(level(['low'])), record(level(['low', 'high'])), 'x'],
  ['a logical type', record(field('long')), record(field({ type: 'long', logicalType: 'timestamp-millis' })), 'x'],
  [
    'an array of something else',
    record(field({ type: 'array', items: 'int' })),
    record(field({ type: 'array', items: 'string' })),
    'x[]',
  ],
  [
    'a map of something else',
    record(field({ type: 'map', values: 'int' })),
    record(field({ type: 'map', values: 'string' })),
    'x{}',
  ],
  ['a nested field', record(field(inner(id))), record(field(inner(id, field('int')))), 'x.x'],
  [
    'another size of a fixed type',
    record(field({ type: 'fixed', name: 'Hash', size: 16 })),
    record(field({ type: 'fixed', name: 'Hash', size: 32 })),
    'x',
  ],
  ['a renamed record', record(id), record(id).replace('Thing', 'Other'), ''],
];

describe('FULL compatibility', () => {
  it.each(compatible)('allows %s, in both directions', (_, older, newer) => {
    expect(fullProblems(newer, older)).toEqual([]);
    expect(fullProblems(older, newer)).toEqual([]);
  });

  it.each(incompatible)('refuses %s, in both directions, and names the field', (_, older, newer, where) => {
    expect(fullProblems(newer, older).map((problem) => problem.field)).toContain(where);
    expect(fullProblems(older, newer).map((problem) => problem.field)).toContain(where);
  });

  it('refuses a field that is renamed, also with an alias, because older readers do not know the new name', () => {
    const renamed = record({ name: 'identity', aliases: ['id'], type: 'string' });
    expect(fullProblems(renamed, record(id))).toHaveLength(1);
  });

  it('ends at a record that holds itself', () => {
    const tree = (...more: readonly object[]): string =>
      JSON.stringify({ type: 'record', name: 'Tree', fields: [{ name: 'left', type: ['null', 'Tree'] }, ...more] });
    expect(fullProblems(tree(field('int', 0)), tree())).toEqual([]);
    expect(fullProblems(tree(field('int')), tree())).toHaveLength(1);
  });

  it('compares with every version, and names the newest one that breaks', () => {
    const versions = [record(id, field('string', '')), record(id), record(id, { name: 'y', type: 'int', default: 1 })];
    expect(fullTransitiveProblems(record(id, field('int', 0)), versions)).toMatchObject({ version: 1 });
    expect(fullTransitiveProblems(record(id, field('string', 'other')), versions)).toBeUndefined();
  });
});

describe('the canonical text of a schema', () => {
  it('is one for every spelling, and keeps defaults', () => {
    const spelt = '{ "fields": [ {"default": 0, "type": "int", "name": "x"} ], "name": "Thing", "type": "record" }';
    expect(canonicalSchema(spelt)).toBe(
      '{"type":"record","name":"Thing","fields":[{"type":"int","name":"x","default":0}]}',
    );
  });

  it('is refused for what is no schema', () => {
    expect(() => canonicalSchema('{"type":"record","name":"Thing"}')).toThrow();
    expect(() => canonicalSchema(record(field('int', 'no number')))).toThrow();
  });
});

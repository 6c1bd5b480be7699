/** The published JSON Schema takes what the parser takes, and refuses what it refuses. */
import { readFile } from 'node:fs/promises';
import Schema from 'typebox/schema';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseDeployment } from '../../sdk/deployment/index.ts';

const published = JSON.parse(
  await readFile(new URL('../../docs/deployment.schema.json', import.meta.url), 'utf8'),
) as object;

const graph = (nodes: string) => `name: d\nroutes:\n  - name: main\n    graph:\n      nodes:\n        - ${nodes}`;

describe('the JSON Schema of deployments', () => {
  it.each([
    [
      'a model',
      'name: d\nroutes: [{ name: main, model: models:/iris@champion }]\nfeatures: [a, { name: b, kind: categorical, categories: [x] }]',
    ],
    [
      'monitors in part',
      `name: d\nroutes: [{ name: main, model: models:/iris/1, weight: 2 }]\nmonitors: { window: { rows: 200 }, referenceHash: ${'b'.repeat(64)}, drift: { alpha: 0.01 } }`,
    ],
    [
      'short forms',
      graph(
        '{ name: t, kind: transformer, code: ./t.ts#t }\n        - { name: r, kind: router, builtin: hash, branches: [a], inputs: t.x }\n        - { name: m, kind: model, model: models:/iris/2, inputs: [r/a] }',
      ),
    ],
    [
      'a graph in a graph',
      graph(
        '{ name: g, kind: graph, graph: { nodes: [{ name: m, kind: model, model: models:/iris/2 }], output: { from: m, join: all } }, repeat: { while: again, maxRounds: 3 } }',
      ),
    ],
  ])('takes %s', (_, text) => {
    expect(() => parseDeployment(text)).not.toThrow();
    expect(Schema.Check(published, parse(text))).toBe(true);
  });

  it.each([
    ['no routes', 'name: d'],
    ['a model that is no reference', 'name: d\nroutes: [{ name: main, model: iris }]'],
    ['a kind that does not exist', graph('{ name: m, kind: modle, model: models:/iris/2 }')],
    [
      'an unknown property deep down',
      graph(
        '{ name: g, kind: graph, graph: { nodes: [{ name: m, kind: model, model: models:/iris/2, colour: red }] } }',
      ),
    ],
    ['code without its function', graph('{ name: t, kind: transformer, code: { file: ./t.ts } }')],
  ])('refuses %s', (_, text) => {
    expect(() => parseDeployment(text)).toThrow(TypeError);
    expect(Schema.Check(published, parse(text))).toBe(false);
  });
});

import { describe, expect, it } from 'vitest';
import { deploymentProblems } from '../../../schemas/deployment-problems.ts';
import type { ModelVersionRow } from '../../../schemas/events.ts';
import {
  deployment,
  formatDeployment,
  parseDeployment,
  parseModelReference,
  resolveDocument,
  specOf,
} from '../../../sdk/deployment/index.ts';

const diamonds = deployment('diamonds')
  .route('linear', 'models:/diamonds/1', { weight: 50 })
  .route('forest', 'models:/diamonds@challenger', { weight: 50 })
  .features(['carat', { name: 'cut', kind: 'categorical', categories: ['Fair', 'Good'] }])
  .feedback({ windowMs: 5_000 })
  .monitors({ window: { rows: 200 }, referenceHash: 'b'.repeat(64), drift: { alpha: 0.01 }, outliers: {} });

const yaml = `
name: diamonds
routes:
  - { name: linear, model: models:/diamonds/1, weight: 50 }
  - { name: forest, model: models:/diamonds@challenger, weight: 50 }
features:
  - carat
  - { name: cut, kind: categorical, categories: [Fair, Good] }
feedback: { windowMs: 5000 }
monitors:
  window: { rows: 200 }
  referenceHash: ${'b'.repeat(64)}
  drift: { alpha: 0.01 }
  outliers: {}
`;

function row(version: number, aliases: readonly string[] = []): ModelVersionRow {
  return {
    model: 'diamonds',
    version,
    aliases,
    runId: null,
    taskId: null,
    flow: null,
    artifact: { name: 'onnx', hash: String(version).repeat(64), sizeBytes: 1, codec: 'onnx' },
    metrics: {},
    tags: {},
    description: '',
    actor: 'ada',
    registeredAt: 0,
  };
}

const table = (...rows: readonly ModelVersionRow[]) => ({ rows: () => rows });

describe('a deployment', () => {
  it('is the same written in TypeScript and in YAML', () => {
    expect(parseDeployment(yaml)).toEqual(diamonds.spec());
  });

  it('survives being written as YAML and as JSON', () => {
    expect(parseDeployment(formatDeployment(diamonds.spec()))).toEqual(diamonds.spec());
    expect(parseDeployment(JSON.stringify(diamonds))).toEqual(diamonds.spec());
  });

  it('fills in what was left out', () => {
    expect(diamonds.spec()).toMatchObject({
      feedback: { windowMs: 5_000, reward: 'negative-squared-error' },
      monitors: { window: { rows: 200, minRows: 100 }, drift: { alpha: 0.01, correction: 'bonferroni' } },
    });
  });

  it('has a verdict on a window of few rows, unless it says that it needs more', () => {
    const window = (yaml_: string) => parseDeployment(yaml.replace('window: { rows: 200 }', yaml_)).monitors.window;
    expect(window('window: { rows: 60 }')).toMatchObject({ rows: 60, minRows: 60 });
    expect(() => window('window: { rows: 60, minRows: 100 }')).toThrow('minRows must be at most rows (60), got 100');
    expect(() => window('window: { rows: many }')).toThrow('monitors.window.rows');
  });

  it('is not changed by building on it', () => {
    const base = deployment('a').route('x', 'models:/m/1');
    base.route('y', 'models:/m/2');
    expect(base.spec().routes).toHaveLength(1);
  });

  it('lists all that is wrong with it', () => {
    const bad = deployment('Bad').route('a', 'models:/m', { weight: -1 });
    expect(() => bad.spec()).toThrow(/name must match[\s\S]*routes\.0\.model[\s\S]*routes\.0\.weight/);
  });

  it('refuses the same route twice, at compile time and at run time', () => {
    const once = deployment('a').route('x', 'models:/m/1');
    // @ts-expect-error the route exists
    const twice = once.route('x', 'models:/m/2');
    expect(() => twice.spec()).toThrow("routes.1.name 'x' is used twice");
  });

  it('names a misspelt property of the YAML form', () => {
    expect(() => parseDeployment('name: a\nroutes: [{name: x, model: models:/m/1, wieght: 3}]')).toThrow(
      'routes.0.wieght is not a known property',
    );
  });
});

describe('model references', () => {
  it.each([
    ['models:/diamonds/3', { model: 'diamonds', version: 3 }],
    ['models:/diamonds@champion', { model: 'diamonds', alias: 'champion' }],
    ['models:/diamonds/latest', { model: 'diamonds' }],
    ['models:/a.b_c-1/2', { model: 'a.b_c-1', version: 2 }],
    ['models:/diamonds@latest', { model: 'diamonds' }],
    ['models:/wine quality (red)/2', { model: 'wine quality (red)', version: 2 }],
    ['models:/größe@_1', { model: 'größe', alias: '_1' }],
    ['models:/diamonds/0', undefined],
    ['models:/../etc/passwd', undefined],
    ['diamonds/3', undefined],
  ])('reads %s', (text, expected) => {
    expect(parseModelReference(text)).toEqual(expected);
  });
});

describe('resolving a deployment', () => {
  it('names every model by version and hash, fit for the log', () => {
    const resolved = resolveDocument(diamonds.spec(), table(row(1), row(2, ['challenger']), row(3)));
    expect(resolved.document?.routes).toEqual([
      { name: 'linear', model: 'diamonds', modelVersion: 1, artifactHash: '1'.repeat(64), weight: 50 },
      { name: 'forest', model: 'diamonds', modelVersion: 2, artifactHash: '2'.repeat(64), weight: 50 },
    ]);
    expect(deploymentProblems(resolved.document)).toEqual([]);
    expect(specOf(resolved.document!).routes[1]).toMatchObject({ model: 'models:/diamonds/2' });
  });

  it('takes the newest version for latest', () => {
    const spec = deployment('a').route('x', 'models:/diamonds/latest').spec();
    expect(resolveDocument(spec, table(row(2), row(10), row(9))).document?.routes[0]).toMatchObject({
      modelVersion: 10,
    });
  });

  it('says which version, alias or model is missing and what there is', () => {
    const spec = deployment('a')
      .route('x', 'models:/diamonds/9')
      .route('y', 'models:/diamonds@best')
      .route('z', 'models:/diamnods/1')
      .spec();
    expect(resolveDocument(spec, table(row(1, ['champion']))).problems).toEqual([
      "route 'x': model 'diamonds' has versions 1 to 1, not 9",
      "route 'y': model 'diamonds' has no alias 'best'; it has champion",
      "route 'z': there is no model 'diamnods'; registered are diamonds",
    ]);
  });
});

import { describe, expect, it } from 'vitest';
import { detectorMethods, filledOptions, methodOf } from '../../schemas/detector-methods.ts';
import { type DetectorSettings, detectorsOf } from '../../schemas/detectors.ts';
import type { MonitorSettings } from '../../schemas/deployment-document.ts';
import { monitoringTerms } from '../../schemas/monitoring-terms.ts';
import { deployment } from '../../sdk/deployment/deployment.ts';
import { parseDeployment } from '../../sdk/deployment/deployment-text.ts';

const hash = 'a'.repeat(64);
const monitorsWith = (...detectors: readonly unknown[]): MonitorSettings => ({
  window: { rows: 500, minRows: 100, maxAgeMs: 60_000 },
  referenceHash: hash,
  detectors: detectors as readonly DetectorSettings[],
});
const written = (monitors: MonitorSettings) => () =>
  deployment('iris').route('a', 'models:/iris/1').monitors(monitors).spec();

describe('detectors in a deployment', () => {
  it('are the same in TypeScript and in YAML', () => {
    const typed = deployment('iris')
      .route('a', 'models:/iris/1')
      .monitors({
        referenceHash: hash,
        detectors: [
          {
            name: 'joint',
            method: 'mmd',
            window: { lengthMs: 3_600_000, everyMs: 600_000 },
            options: { permutations: 200 },
          },
          { name: 'wrong', method: 'online-fisher', target: 'errors', reference: { kind: 'first', rows: 500 } },
        ],
      })
      .spec();
    const yaml = parseDeployment(`
name: iris
routes: [{ name: a, model: models:/iris/1 }]
monitors:
  referenceHash: ${hash}
  detectors:
    - { name: joint, method: mmd, window: { lengthMs: 3600000, everyMs: 600000 }, options: { permutations: 200 } }
    - { name: wrong, method: online-fisher, target: errors, reference: { kind: first, rows: 500 } }
`);
    expect(yaml).toEqual(typed);
  });

  it.each(Object.keys(detectorMethods))('%s is a method that a deployment may name', (method) => {
    const needsFitted = methodOf(method as keyof typeof detectorMethods).needsFitted === true;
    const needsContext = methodOf(method as keyof typeof detectorMethods).needsContext === true;
    const context = needsContext ? { context: ['a'] } : {};
    const fitted = needsFitted ? { fitted: 'models:/iris@champion#one' } : {};
    expect(written(monitorsWith({ name: 'one', method, ...fitted, ...context }))).not.toThrow();
    expect(Object.keys(filledOptions(method as keyof typeof detectorMethods))).toEqual(
      Object.keys(detectorMethods[method as keyof typeof detectorMethods].options),
    );
  });

  it.each<[string, unknown, RegExp]>([
    ['an unknown method', { name: 'x', method: 'magic' }, /detectors\.0\.method must be one of tabular, .*got "magic"/],
    [
      'an option of another method',
      { name: 'x', method: 'psi', options: { trees: 3 } },
      /options\.trees is no option of 'psi'; it has permutations/,
    ],
    [
      'an option out of range',
      { name: 'x', method: 'mmd', options: { permutations: 1.5 } },
      /permutations must be an integer from 0 to 10000, got 1\.5/,
    ],
    [
      'a window that is neither',
      { name: 'x', method: 'psi', window: { minRows: 5 } },
      /window needs rows \(by count\) or lengthMs \(by time\)/,
    ],
    [
      'panes that do not divide a window',
      { name: 'x', method: 'psi', window: { lengthMs: 1_000, everyMs: 300 } },
      /everyMs must divide lengthMs \(1000\), got 300/,
    ],
    [
      'a slide longer than the window',
      { name: 'x', method: 'psi', window: { rows: 10, everyRows: 20 } },
      /everyRows must be at most rows/,
    ],
    [
      'a reference without its number',
      { name: 'x', method: 'psi', reference: { kind: 'window' } },
      /reference of kind window needs back/,
    ],
    [
      'a window as the reference of rows',
      { name: 'x', method: 'cusum', reference: { kind: 'window', back: 1 } },
      /goes row by row and has no windows/,
    ],
    [
      'feedback without a reference',
      { name: 'x', method: 'kolmogorov-smirnov', target: 'residuals' },
      /\{kind: first, rows: 500\}/,
    ],
    [
      'outliers of feedback',
      { name: 'x', method: 'knn', target: 'rewards', reference: { kind: 'first', rows: 50 } },
      /target must be one of inputs, outputs, scores/,
    ],
    [
      'a rate of false positives for drift',
      { name: 'x', method: 'psi', falsePositiveRate: 0.1 },
      /falsePositiveRate is of outlier detectors/,
    ],
    [
      'a level that no permutation can reach',
      { name: 'x', method: 'mmd', alpha: 0.001 },
      /alpha must be at least 0\.0099, .*raise options\.permutations/,
    ],
    [
      'a method that compares given a context, without one',
      { name: 'x', method: 'context-mmd' },
      /detectors\.0\.context must name the inputs that may change/,
    ],
    [
      'a context of a method that knows none',
      { name: 'x', method: 'mmd', context: ['hour'] },
      /detectors\.0\.context is of methods that compare given it, 'mmd' does not/,
    ],
    [
      'a column that is its own context',
      { name: 'x', method: 'context-mmd', columns: ['a', 'b'], context: ['b'] },
      /detectors\.0\.columns and \.context both name 'b'/,
    ],
    [
      'a context of feedback',
      { name: 'x', method: 'context-mmd', context: ['a'], target: 'residuals', reference: { kind: 'first', rows: 50 } },
      /detectors\.0\.target must be inputs, outputs or scores for 'context-mmd'/,
    ],
    [
      'a level that no permutation can reach in each of the columns',
      { name: 'x', method: 'psi', columns: ['a', 'b', 'c', 'd', 'e', 'f'], options: { permutations: 100 } },
      /alpha must be at least 0\.0099 for each of 6 columns, .*raise options\.permutations to 119/,
    ],
    ['a field that is none', { name: 'x', method: 'psi', pvalue: 0.1 }, /pvalue is not a known property/],
  ])('refuses %s', (_, detector, message) => {
    expect(written(monitorsWith(detector))).toThrow(message);
  });

  it('refuses two of one name, and one that has nothing to compare with', () => {
    const twice = monitorsWith({ name: 'x', method: 'psi' }, { name: 'x', method: 'mmd' });
    expect(written(twice)).toThrow(/detectors\.1\.name 'x' is used twice/);
    const { referenceHash: _, ...without } = monitorsWith({ name: 'x', method: 'psi' });
    expect(written(without)).toThrow(/needs monitors\.referenceHash or monitors\.reference, or a reference of its own/);
  });

  it('tell the folds their windows once, whatever number of detectors shares one', () => {
    const hour = { lengthMs: 3_600_000 };
    const monitors = monitorsWith(
      { name: 'a', method: 'psi', window: hour },
      { name: 'b', method: 'mmd', window: hour },
      { name: 'c', method: 'psi' },
      { name: 'd', method: 'online-fisher', target: 'errors', reference: { kind: 'first', rows: 300 } },
      { name: 'e', method: 'page-hinkley' },
    );
    const [a, b, c] = detectorsOf({ monitors });
    expect(a?.window.id).toBe(b?.window.id);
    expect(c?.window.id).toBe('');
    const feedback = { windowMs: 1, reward: 'equal' } as const;
    const terms = monitoringTerms({ name: 'iris', routes: [], features: [], feedback, monitors });
    expect(terms.windows.map(({ stream, lengthMs, referenceRows }) => [stream, lengthMs, referenceRows])).toEqual([
      ['predictions', 3_600_000, 0],
      ['feedback', 0, 300],
    ]);
    expect([terms.online, terms.feedbackOnline]).toEqual([['e'], ['d']]);
  });
});

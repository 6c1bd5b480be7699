import { describe, expect, it } from 'vitest';
import { qualityAlertProblems, qualityBounds } from '../../schemas/quality-bounds.ts';
import { deployment } from '../../sdk/index.ts';

const wine = (alerts: readonly object[]) =>
  deployment('wine')
    .route('a', 'models:/wine@champion')
    .monitors({ alerts: alerts as never })
    .spec();

describe('alerts on quality in a deployment', () => {
  it('are part of its document, with nothing left open for the folds', () => {
    const alerts = [{ name: 'right', metric: 'accuracy', least: 0.9 }];
    expect(wine(alerts).monitors.alerts).toEqual(alerts);
    expect(qualityBounds(alerts, 10)).toEqual([
      {
        ...{ name: 'right', metric: 'accuracy', least: 0.9, most: null, route: '', segment: '', surely: false },
        ...{ minRows: 10, raiseAfter: 1, clearAfter: 1 },
      },
    ]);
  });

  it.each<[string, object, RegExp]>([
    ['a metric that there is not', { metric: 'magic', least: 1 }, /alerts\.0\.metric must be one of accuracy, /],
    ['no bound', { metric: 'rmse' }, /alerts\.0 needs least or most/],
    [
      'bounds that leave no room',
      { metric: 'rmse', least: 3, most: 2 },
      /alerts\.0\.least must be below most \(2\), got 3/,
    ],
    [
      'a route that there is not',
      { metric: 'rmse', most: 2, route: 'c' },
      /alerts\.0\.route 'c' is no route; there are a/,
    ],
    [
      'a segment that is none',
      { metric: 'rmse', most: 2, segment: 'x=1' },
      /'x' must be one of monitors\.quality\.segments/,
    ],
    [
      'more rows than a window has',
      { metric: 'rmse', most: 2, minRows: 900 },
      /minRows must be at most the rows of a window \(200\)/,
    ],
  ])('are refused with the reason: %s', (_, alert, message) => {
    expect(() => wine([{ name: 'one', ...alert }])).toThrow(message);
  });

  it('are refused when a name is used twice, and where there are no windows of quality', () => {
    const alerts = [{ name: 'one', metric: 'rmse', most: 1 }];
    expect(() => wine([...alerts, ...alerts])).toThrow("monitors.alerts.1.name 'one' is used twice");
    expect(qualityAlertProblems(alerts, { routes: [], segments: [], rows: 0 })).toEqual([
      'monitors.alerts.0 needs windows of quality: monitors.quality.rows is 0',
    ]);
  });
});

import { beforeEach, describe, expect, it } from 'vitest';
import { createTopologyDriver, type TopologyDriver } from '../../runtime/testing/index.ts';
import type { AlertRaised, QualityAssessed, QualityBound } from '../../schemas/events.ts';
import { qualityAlerts } from '../../topologies/quality-alerts.ts';

let driver: TopologyDriver<'quality'>;
beforeEach(async () => {
  driver = await createTopologyDriver(qualityAlerts);
});

const bound = (overrule: Partial<QualityBound> = {}): QualityBound => ({
  ...{ name: 'right', metric: 'accuracy', least: 0.8, most: null, route: '', segment: '', surely: false },
  ...{ minRows: 20, raiseAfter: 2, clearAfter: 2 },
  ...overrule,
});

let serial = 0;
function window(accuracy: number, bounds: readonly QualityBound[], overrule: Partial<QualityAssessed> = {}): void {
  serial += 1;
  const data: QualityAssessed = {
    ...{ deployment: 'iris', deploymentVersion: 1, route: '', model: '', modelVersion: 0, segment: '' },
    ...{
      window: serial,
      windowId: `w${serial}`,
      fromMs: 0,
      toMs: 1,
      rows: 200,
      task: 'classification',
      calibration: [],
    },
    metrics: [{ name: 'accuracy', value: accuracy, low: accuracy - 0.05, high: accuracy + 0.05 }],
    reward: null,
    bounds: [...bounds],
    ...overrule,
  };
  driver.pipe({ type: 'quality-assessed', data, key: 'iris' });
}
const said = () => driver.takeOutputs().map(({ type, data }) => [type, (data as AlertRaised).subject]);

/** One window after the other; `!` where an alert was raised, `.` where it was cleared, `-` where nothing was said. */
function play(values: readonly number[], of: QualityBound = bound()): string {
  return values
    .map((value) => {
      window(value, [of]);
      const [first] = said();
      return first === undefined ? '-' : first[0] === 'alert-raised' ? '!' : '.';
    })
    .join('');
}

describe('an alert on quality', () => {
  it('comes after so many windows in a row beyond the bound, once, and goes after so many within', () => {
    expect(play([0.9, 0.7, 0.9, 0.7, 0.7, 0.6, 0.9, 0.7, 0.9, 0.9, 0.9])).toBe('----!----.-');
  });

  it('says what lay where, and by which window', () => {
    window(0.7, [bound({ raiseAfter: 1, route: 'canary', segment: 'cellar=north' })], { windowId: 'seen' });
    const [{ data } = { data: {} }] = driver.takeOutputs();
    expect(data).toMatchObject({
      ...{ deployment: 'iris', kind: 'quality', subject: 'right', evidenceId: 'seen' },
      message: "accuracy of route 'canary' where cellar=north is 0.7, below 0.8, in a window (the last of 200 rows)",
    });
  });

  it('has an upper bound for errors', () => {
    const metrics = [{ name: 'rmse', value: 3, low: Number.NaN, high: Number.NaN }];
    window(0, [bound({ metric: 'rmse', least: null, most: 2, raiseAfter: 1 })], { metrics });
    expect((driver.takeOutputs()[0]?.data as AlertRaised).message).toContain('rmse is 3, above 2');
  });

  it('looks at mean and median of rewards', () => {
    const reward = {
      ...{ count: 50, mean: 0.4, meanLow: 0.3, meanHigh: 0.5, median: 0.6, medianLow: 0.5, medianHigh: 0.7 },
      ...{ trust: 'mean', why: '' },
    };
    const own = { least: 0.5, raiseAfter: 1 };
    const bounds = [
      bound({ ...own, name: 'mean', metric: 'reward_mean' }),
      bound({ ...own, name: 'median', metric: 'reward_median' }),
    ];
    window(1, bounds, { reward, metrics: [], task: 'reward', rows: 50 });
    expect(said()).toEqual([['alert-raised', 'mean']]);
  });

  it('waits until the whole interval lies beyond, when it is to be sure', () => {
    expect(play([0.78, 0.76, 0.74], bound({ surely: true, raiseAfter: 1 }))).toBe('--!');
  });

  it('is not changed by windows that tell nothing: too few rows, no such metric, NaN, a repeat, an older version', () => {
    const of = bound({ raiseAfter: 2 });
    window(0.5, [of]);
    window(0.5, [of], { rows: 19 });
    window(0.5, [of], { metrics: [] });
    window(Number.NaN, [of]);
    window(0.5, [of], { windowId: `w${serial - 3}` });
    expect(said()).toEqual([]);
    window(0.5, [of]);
    expect(said()).toEqual([['alert-raised', 'right']]);
    window(0.9, [of], { deploymentVersion: 2 });
    window(0.9, [of]);
    expect(said(), 'windows of an older version do not clear it').toEqual([]);
    window(0.9, [of], { deploymentVersion: 2 });
    expect(said()).toEqual([['alert-cleared', 'right']]);
  });

  it('of a bound or a deployment that is gone is over, and windows that come late raise it no more', () => {
    const configure = (deploymentVersion: number, ...bounds: string[]): unknown[] => {
      const data = { deployment: 'iris', deploymentVersion, bounds };
      driver.pipe({ type: 'bounds-configured', data, key: 'iris' });
      return said();
    };
    const right = bound({ raiseAfter: 1 });
    const far = bound({ name: 'far', raiseAfter: 1 });
    expect(configure(1, 'right', 'far')).toEqual([]);
    window(0.5, [right, far], { windowId: 'seen' });
    window(0.5, [right], { deployment: 'wine' });
    expect(said()).toEqual([
      ['alert-raised', 'right'],
      ['alert-raised', 'far'],
      ['alert-raised', 'right'],
    ]);
    const data = { deployment: 'iris', deploymentVersion: 2, bounds: ['right'] };
    driver.pipe({ type: 'bounds-configured', data, key: 'iris' });
    expect(driver.takeOutputs()).toMatchObject([
      { type: 'alert-cleared', data: { kind: 'quality', subject: 'far', deploymentVersion: 2, evidenceId: 'seen' } },
    ]);
    window(0.5, [right, far]);
    expect(said(), 'a late window of version 1').toEqual([]);
    expect(configure(1, 'far'), 'what is older').toEqual([]);
    expect(configure(2), 'removed').toEqual([['alert-cleared', 'right']]);
    window(0.5, [right], { deploymentVersion: 2 });
    expect(said(), 'a late window of what is removed').toEqual([]);
    expect(driver.stateKeys()).toEqual(['b/wine/right', 'c/iris']);
    expect(configure(3, 'far')).toEqual([]);
    window(0.5, [far], { deploymentVersion: 3 });
    expect(said()).toEqual([['alert-raised', 'far']]);
    expect(driver.counters()).toMatchObject({ raised: 4, cleared: 2, windowsOfOldVersions: 2 });
  });
});

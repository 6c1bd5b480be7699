import { beforeEach, describe, expect, it } from 'vitest';
import { createTopologyDriver, type TopologyDriver } from '../../runtime/testing/index.ts';
import type { DriftAssessed } from '../../schemas/events.ts';
import { driftAlerts } from '../../topologies/drift-alerts.ts';
import { driftAssessed } from './prediction-events.ts';

let driver: TopologyDriver<'drift'>;
beforeEach(async () => {
  driver = await createTopologyDriver(driftAlerts);
});

let serial = 0;
function verdict(drifted: boolean, overrule: Partial<DriftAssessed> = {}): void {
  serial += 1;
  const feature = (name: string, test: string, effectSize: number, moved: boolean) => ({
    name,
    test,
    statistic: effectSize,
    pValue: 0,
    effectSize,
    threshold: 0.01,
    drifted: moved,
    psi: 0,
    effect: '',
    minEffectSize: 0,
  });
  const data = driftAssessed({
    windowId: `w${serial}`,
    features: [
      feature('cut', 'chi-squared', 0.2, drifted),
      feature('carat', 'kolmogorov-smirnov', 0.9, drifted),
      feature('depth', 'kolmogorov-smirnov', 0.01, false),
    ],
    drifted,
    raiseAfter: 2,
    clearAfter: 3,
    ...overrule,
  });
  driver.pipe({ type: 'drift-assessed', data, key: data.deployment });
}

/** Verdicts as a row of marks; answers what was said after each. */
function play(marks: string, overrule: Partial<DriftAssessed> = {}): string {
  return [...marks]
    .map((mark) => {
      if (mark === '?') {
        driver.pipe({
          type: 'drift-not-assessed',
          data: {
            deployment: 'diamonds',
            deploymentVersion: 1,
            windowId: 'w',
            reason: 'too few rows',
            rows: 1,
            findingId: '',
            detector: '',
          },
          key: 'diamonds',
        });
      } else verdict(mark === 'x', overrule);
      const said = driver.takeOutputs().map(({ type }) => type);
      return said.length === 0 ? '-' : said[0] === 'alert-raised' ? 'R' : 'C';
    })
    .join('');
}

describe('the drift alarm', () => {
  it.each([
    ['..x.x.x.', '--------'],
    ['.xxxx', '--R--'],
    ['xx..x...x', '-R-----C-'],
    ['x?x', '--R'],
    ['xx?.?.?.', '-R-----C'],
    ['xx...xx', '-R--C-R'],
  ])('of the windows %s says %s', (marks, said) => {
    expect(play(marks)).toBe(said);
  });

  it('raises at the first window when the deployment asks so', () => {
    expect(play('x.', { raiseAfter: 1, clearAfter: 1 })).toBe('RC');
  });

  it('names its evidence and the features that moved most; cleared under the same id', () => {
    verdict(true);
    verdict(true);
    const evidenceId = `w${serial}`;
    for (let i = 0; i < 3; i++) verdict(false);
    const [raised, observed, cleared] = driver.takeOutputs();
    expect(raised).toMatchObject({
      topic: 'alerts',
      type: 'alert-raised',
      key: 'diamonds',
      data: { deployment: 'diamonds', deploymentVersion: 1, kind: 'drift', subject: 'tabular-drift', evidenceId },
    });
    expect((raised?.data as { message: string }).message).toBe(
      "2 of 3 features moved away from the training data, in 2 windows in a row (the last of 500 rows): carat (KS distance 0.90), cut (Cramér's V 0.20)",
    );
    const alertId = (raised?.data as { alertId: string }).alertId;
    expect(alertId).toMatch(/^[0-9a-f]{32}$/);
    expect(observed).toMatchObject({ topic: 'route-evidence', type: 'drift-observed', data: { alertId } });
    expect(cleared).toMatchObject({ type: 'alert-cleared', data: { alertId, evidenceId: `w${serial}` } });
  });

  it('counts each window once', () => {
    verdict(true, { windowId: 'w' });
    verdict(true, { windowId: 'w' });
    expect(driver.takeOutputs()).toEqual([]);
  });

  it('counts anew for a new version, stays on until that one is clean, and ignores the old version', () => {
    expect(play('x')).toBe('-');
    expect(play('xx', { deploymentVersion: 2 })).toBe('-R');
    expect(play('...', { deploymentVersion: 1 })).toBe('---');
    expect(play('x...', { deploymentVersion: 3 })).toBe('---C');
    expect(driver.counters()['verdictsOfOldVersions']).toBe(3);
  });

  it('says drift to the rollout of a new version too, while the alarm of the old one is on', () => {
    play('xx');
    const observed = (marks: string, deploymentVersion: number): unknown[] =>
      [...marks].flatMap((mark) => {
        verdict(mark === 'x', { deploymentVersion });
        return driver.takeOutputs().map(({ type, data }) => [type, (data as DriftAssessed).deploymentVersion]);
      });
    expect(observed('x', 1)).toEqual([]);
    expect(observed('x', 2)).toEqual([]);
    expect(observed('xxx', 2)).toEqual([['drift-observed', 2]]);
    expect(observed('xx', 3)).toEqual([['drift-observed', 3]]);
    expect(observed('...', 3)).toEqual([['alert-cleared', 3]]);
  });

  it('of a detector or a deployment that is gone is over, and verdicts that come late raise it no more', () => {
    const configure = (deploymentVersion: number, ...detectors: string[]): unknown[] => {
      const data = { deployment: 'diamonds', deploymentVersion, detectors };
      driver.pipe({ type: 'detectors-configured', data, key: 'diamonds' });
      return driver.takeOutputs().map(({ type, data: said }) => [type, (said as { subject: string }).subject]);
    };
    expect(configure(1, 'tabular-drift', 'mmd')).toEqual([]);
    expect(play('xx')).toBe('-R');
    expect(play('xx', { detector: 'mmd' })).toBe('-R');
    expect(configure(2, 'tabular-drift')).toEqual([['alert-cleared', 'mmd']]);
    expect(play('xx', { detector: 'mmd' })).toBe('--');
    expect(configure(2)).toEqual([['alert-cleared', 'tabular-drift']]);
    expect(play('xx', { deploymentVersion: 2 })).toBe('--');
    expect(driver.stateKeys()).toEqual(['c/diamonds']);
    expect(configure(3, 'mmd')).toEqual([]);
    expect(play('xx', { detector: 'mmd', deploymentVersion: 3 })).toBe('-R');
  });

  it('keeps deployments apart', () => {
    verdict(true);
    verdict(true, { deployment: 'wine' });
    expect(driver.takeOutputs()).toEqual([]);
  });
});

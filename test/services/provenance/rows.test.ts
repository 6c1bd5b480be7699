import { expect, it } from 'vitest';
import { rowsOf } from '../../../services/provenance/rows.ts';
import { failed } from '../../topologies/prediction-events.ts';

const place = { topic: 'x', partition: 0, offset: 1, timeMs: 5, key: 'iris', id: 'id', traceparent: undefined };

it('an assessment of an experiment is one row for each version of the deployment', () => {
  const ids = [1, 2, 2].map((deploymentVersion) => {
    const data = {
      ...{ deployment: 'iris', deploymentVersion, assessment: 1, rewards: 100, threshold: 0.025, routes: [] },
      ...{ verdict: 'undecided', better: null, difference: 0, differenceLow: 0, differenceHigh: 0, pValue: 0.5 },
    };
    const [change] = rowsOf({ ...place, type: 'experiment-assessed', data } as never);
    return (change as unknown as { row: { id: string } }).row.id;
  });
  expect(new Set(ids).size).toBe(2);
});

it('failures of deployments that there are not count together, whatever their names and codes', () => {
  const traffic = ['a', 'b'].map((deployment) => {
    const data = { ...failed(1), deployment, deploymentVersion: 0, code: 'OVERLOADED' };
    const rows = rowsOf({ ...place, type: 'prediction-failed', data } as never);
    return (rows.find(({ table }) => table === 'traffic') as unknown as { row: object }).row;
  });
  expect(traffic[0]).toEqual(traffic[1]);
});

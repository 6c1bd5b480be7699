/** How the methods that look at all columns together compute. Columns come scaled by the reference, so that units do not matter. */
import type { DetectorMethod, MethodsThat } from '../../../schemas/detector-methods.ts';
import { classifierTest } from '../../../statistics/classifier-test.ts';
import { lsddTest } from '../../../statistics/lsdd.ts';
import { mmdTest } from '../../../statistics/mmd.ts';
import type { Tested, TestOptions } from './feature-tests.ts';

type Rows = readonly (readonly number[])[];

export type RowTest = (reference: Rows, current: Rows, with_: TestOptions) => Tested;

type RowMethod = MethodsThat<{ finds: 'drift'; runs: 'window'; over: 'rows' } & Partial<DetectorMethod>>;

export const rowTests: Readonly<Record<RowMethod, RowTest>> = {
  mmd: (reference, current, { options, random }) => {
    const { statistic, pValue } = mmdTest(reference, current, random, kernelOptions(options));
    return { test: 'mmd', statistic, pValue, effectSize: Math.sqrt(Math.max(0, statistic)) };
  },
  lsdd: (reference, current, { options, random }) => {
    const { statistic, pValue } = lsddTest(reference, current, random, kernelOptions(options));
    return { test: 'lsdd', statistic, pValue, effectSize: Math.sqrt(Math.max(0, statistic)) };
  },
  classifier: (reference, current, { options, random }) => {
    const { neighbours } = options;
    const known = neighbours === undefined || Number.isNaN(neighbours) ? {} : { neighbours };
    const { accuracy, pValue } = classifierTest(reference, current, random, known);
    return { test: 'classifier', statistic: accuracy, pValue, effectSize: Math.max(0, 2 * accuracy - 1) };
  },
};

function kernelOptions({ permutations, sigma }: Readonly<Record<string, number>>): {
  permutations?: number;
  sigma?: number;
} {
  return {
    permutations: Math.max(1, permutations ?? 100),
    ...(sigma === undefined || Number.isNaN(sigma) ? {} : { sigma }),
  };
}

/** How the methods that look at all columns together compute. Columns come scaled by the reference, so that units do not matter. */
import type { DetectorMethod, MethodsThat } from '../../../schemas/detector-methods.ts';
import { classifierTest } from '../../../statistics/drift/classifier-test.ts';
import { contextMmdTest } from '../../../statistics/drift/context-mmd.ts';
import { lsddTest } from '../../../statistics/drift/lsdd.ts';
import { mmdTest } from '../../../statistics/drift/mmd.ts';
import type { Tested, TestOptions } from './feature-tests.ts';

type Rows = readonly (readonly number[])[];

export interface RowTestOptions extends TestOptions {
  /** Of each row of either side; without columns where the detector names no context. */
  readonly contexts: { readonly reference: Rows; readonly current: Rows };
}

export type RowTest = (reference: Rows, current: Rows, with_: RowTestOptions) => Tested;

type RowMethod = MethodsThat<{ finds: 'drift'; runs: 'window'; over: 'rows' } & Partial<DetectorMethod>>;

export const rowTests: Readonly<Record<RowMethod, RowTest>> = {
  mmd: (reference, current, { options, random }) => {
    const { statistic, pValue } = mmdTest(reference, current, random, kernelOptions(options));
    return { test: 'mmd', statistic, pValue: permuted(options, pValue), effectSize: Math.sqrt(Math.max(0, statistic)) };
  },
  'context-mmd': (reference, current, { options, random, contexts }) => {
    const { statistic, nullMean, pValue } = contextMmdTest(
      { rows: reference, contexts: contexts.reference },
      { rows: current, contexts: contexts.current },
      random,
      kernelOptions(options),
    );
    // Distances of embeddings are never below 0: what there is of it without a difference is no effect.
    return {
      test: 'context-mmd',
      statistic,
      pValue: permuted(options, pValue),
      effectSize: Math.sqrt(Math.max(0, statistic - nullMean)),
    };
  },
  lsdd: (reference, current, { options, random }) => {
    const { statistic, pValue } = lsddTest(reference, current, random, kernelOptions(options));
    return {
      test: 'lsdd',
      statistic,
      pValue: permuted(options, pValue),
      effectSize: Math.sqrt(Math.max(0, statistic)),
    };
  },
  classifier: (reference, current, { options, random }) => {
    const { neighbours } = options;
    const known = neighbours === undefined || Number.isNaN(neighbours) ? {} : { neighbours };
    const { accuracy, pValue } = classifierTest(reference, current, random, known);
    return { test: 'classifier', statistic: accuracy, pValue, effectSize: Math.max(0, 2 * accuracy - 1) };
  },
};

/** Without permutations there is no p-value: the effect size alone decides. */
function permuted({ permutations = 100 }: Readonly<Record<string, number>>, pValue: number): number {
  return permutations === 0 ? Number.NaN : pValue;
}

function kernelOptions({ permutations, sigma }: Readonly<Record<string, number>>): {
  permutations?: number;
  sigma?: number;
} {
  return {
    permutations: Math.max(1, permutations ?? 100),
    ...(sigma === undefined || Number.isNaN(sigma) ? {} : { sigma }),
  };
}

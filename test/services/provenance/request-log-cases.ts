/** The request log over any query store: what is said on the log, and what a search of it answers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OpenQueryStore } from '../../../runtime/profiles/open-query-store.ts';
import { createTestRuntime, type TestRuntime } from '../../../runtime/testing/test-runtime.ts';
import type { RequestSearch } from '../../../schemas/api/request-log.ts';
import type { DeploymentDocument } from '../../../schemas/deployment-document.ts';
import type { PredictionCompleted, Tensor } from '../../../schemas/events.ts';
import { type Provenance, startProvenance } from '../../../services/provenance/index.ts';
import { completed, failed, idOf, tensor } from '../../topologies/prediction-events.ts';

const began = 1_700_000_000_000;
const total = 60;
const document = {
  routes: [],
  name: 'diamonds',
  features: [
    { name: 'carat', kind: 'numeric' },
    { name: 'cut', kind: 'categorical', categories: ['Fair', 'Ideal'] },
  ],
} as unknown as DeploymentDocument;
const named = {
  ...document,
  features: [
    { name: 'owner', kind: 'numeric' },
    { name: 'carat', kind: 'numeric' },
    { name: 'cut', kind: 'categorical', categories: ['Good', 'Great'] },
  ],
};
const nan = Number.NaN;

/** FP32 as a client sends it: 0.1 × n has no short form in binary. */
const single = (values: readonly number[], rows = 1): Tensor => ({
  name: 'x',
  datatype: 'FP32',
  shape: [rows, values.length / rows],
  data: { 'millrace.common.Floats': { values: values.map(Math.fround) } },
});

/** Carat is n / 10, the cut Ideal for odd n; every tenth failed, every fourth is by the other model, of 7 the carat is missing. */
function said(n: number): Partial<PredictionCompleted> {
  return {
    entity: `stone-${n % 5}`,
    receivedAt: began + 1_000 * Math.floor(n / 2),
    ...(n % 4 === 0 ? { route: 'trees', model: 'forest', modelVersion: 3 } : {}),
    inputs: [single([n === 7 ? nan : n / 10, n % 2])],
    outputs: [tensor('price', [1, 1], [100 * n])],
    queueMs: 1,
    runMs: n,
  };
}

export function requestLogCases(name: string, openStores: (test: TestRuntime) => OpenQueryStore): void {
  describe(`the request log in ${name}`, () => {
    let test: TestRuntime;
    let provenance: Provenance;

    beforeAll(async () => {
      test = await createTestRuntime();
      const { runtime } = test;
      const applied = {
        deployment: 'diamonds',
        version: 1,
        document: JSON.stringify(document),
        actor: 'ada',
        requestId: 'r',
      };
      const place = { topic: 'predictions', type: 'prediction-completed' } as const;
      const publish = (n: number, overrule: Partial<PredictionCompleted>) =>
        ({ ...place, key: `e${n}`, id: `p${n}`, data: completed(n, { ...said(n), ...overrule }) }) as const;
      await runtime.publish([
        { topic: 'deployment-events', type: 'deployment-applied', key: 'diamonds', id: 'd', data: applied },
        ...Array.from({ length: total }, (_, n) =>
          n % 10 === 9
            ? ({
                topic: 'predictions',
                type: 'prediction-failed',
                key: `e${n}`,
                id: `p${n}`,
                data: { ...failed(n), receivedAt: said(n).receivedAt ?? 0 },
              } as const)
            : publish(n, {}),
        ),
        publish(100, {
          rows: 3,
          inputs: [single([9, 0, 8, 1, Infinity, 0], 3)],
          outputs: [tensor('price', [3], [1, 2, 3])],
        }),
        // Another version, with names of tensors, one withheld, and categories of its own.
        {
          ...{ topic: 'deployment-events', type: 'deployment-applied', key: 'diamonds', id: 'd2' },
          data: { ...applied, version: 2, document: JSON.stringify(named), requestId: 'r2' },
        },
        publish(102, {
          ...{ deploymentVersion: 2, receivedAt: began + 800_000, withheld: true },
          outputs: [tensor('price', [1, 1], [0])],
          inputs: [
            { ...single([Infinity]), name: 'carat' },
            { ...single([1]), name: 'cut' },
          ],
        }),
        publish(101, { inputs: [], withheld: true, deployment: 'secret' }),
        ...(['NOT_FOUND', 'NOT_FOUND', 'OVERLOADED'] as const).map((code, n) => ({
          ...{ topic: 'predictions', type: 'prediction-failed', key: `e${110 + n}`, id: `p${110 + n}` },
          data: {
            ...failed(110 + n),
            deployment: `nobody-${n}`,
            deploymentVersion: 0,
            route: '',
            code,
            receivedAt: began + 900_000,
          },
        })),
        {
          topic: 'outliers',
          type: 'outliers-assessed',
          key: 'diamonds',
          id: 'o',
          data: outliers([idOf(12), idOf(31)]),
        },
      ] as never);
      provenance = await startProvenance(runtime, openStores(test), test.directory);
    }, 60_000);
    afterAll(async () => {
      await provenance.close();
      await test.close();
    });

    const search = (asked: Partial<RequestSearch>) => provenance.queries.searchRequests({ limit: 500, ...asked });
    const numbers = async (asked: Partial<RequestSearch>): Promise<number[]> =>
      (await search(asked)).predictions.map(({ predictionId }) => Number.parseInt(predictionId, 16));

    it('is newest first, and a page goes on where the one before ended, through moments with several requests', async () => {
      const all = await numbers({ deployment: 'diamonds', version: 1 });
      expect(all).toEqual([100, ...Array.from({ length: total }, (_, n) => total - 1 - n)]);
      const paged: number[] = [];
      let cursor: string | undefined;
      do {
        const { predictions, next } = await search({ deployment: 'diamonds', version: 1, limit: 7, cursor });
        paged.push(...predictions.map(({ predictionId }) => Number.parseInt(predictionId, 16)));
        cursor = next ?? undefined;
      } while (cursor !== undefined);
      expect(paged).toEqual(all);
    });

    it.each<[string, Partial<RequestSearch>, number[]]>([
      ['model and version', { model: 'forest/3', until: began + 6_000 }, [8, 4, 0]],
      ['another version', { model: 'forest/2' }, []],
      ['route', { route: 'linear', until: began + 2_000 }, [3, 2, 1]],
      ['entity and time', { entity: 'stone-3', since: began + 20_000, until: began + 25_000 }, [48, 43]],
      ['failure', { outcome: 'failed', until: began + 20_000 }, [39, 29, 19, 9]],
      ['code', { outcome: 'TIMEOUT', since: began + 25_000 }, [59]],
      ['code that no request has', { outcome: 'INTERNAL' }, []],
      ['outliers', { outlier: true }, [31, 12]],
      ['no outliers', { outlier: false, since: began + 15_000, until: began + 16_000 }, [30]],
      ['a number of 32 bits', { where: ['carat = 0.3'] }, [3]],
      ['a number of 32 bits, above', { where: ['carat>0.1', 'carat <= 0.3'] }, [3, 2]],
      ['a category by its label', { where: ['cut = Ideal', 'carat < 0.6'] }, [5, 3, 1]],
      ['a category that is not', { where: ["cut != 'Ideal'", 'carat < 0.6'] }, [4, 2, 0]],
      ['an output', { where: ['output.price >= 5700'] }, [58, 57]],
      ['a missing value', { where: ['carat is missing'] }, [7]],
      ['conditions that one row of several has', { where: ['carat >= 8', 'cut = Ideal'] }, [100]],
      ['conditions that only different rows have', { where: ['carat = 9', 'cut = Ideal'] }, []],
      ['an infinity', { version: 1, where: ['carat > 1000'] }, [100]],
      ['a number that 32 bits do not hold', { version: 1, where: ['carat >= 1e39'] }, [100]],
      ['a number below that', { version: 1, where: ['carat < 1e39', 'price >= 5800'] }, [58]],
      ['a category that only another version has', { where: ['cut = Great'] }, [102]],
    ])('is searched by %s', async (_, asked, expected) => {
      expect(await numbers(asked)).toEqual(expected);
    });

    it('says of a request what it was, and which of its rows have the conditions', async () => {
      const { predictions } = await search({ where: ['price >= 2'], limit: 1 });
      expect(predictions).toMatchObject([
        {
          predictionId: idOf(100),
          deployment: 'diamonds',
          deploymentVersion: 1,
          entity: 'stone-0',
          outcome: 'completed',
          rows: 3,
          columns: [
            { name: 'carat' },
            { name: 'cut', categories: ['Fair', 'Ideal'] },
            { name: 'price', kind: 'output' },
          ],
          matched: [1, 2],
          outliers: [],
        },
      ]);
      const [marked] = (await search({ outlier: true })).predictions;
      expect(marked?.outliers).toEqual([{ findingId: 'w', score: 9 }]);
    });

    it('lets others have their turn between what it looks at', async () => {
      let turns = 0;
      let isOver = false;
      const turn = (): void => {
        turns += 1;
        if (!isOver) setImmediate(turn);
      };
      setImmediate(turn);
      const { predictions } = await search({ outcome: 'completed', where: ['carat >= 0'], limit: 1 });
      isOver = true;
      expect(predictions).toHaveLength(1);
      expect(turns).toBeGreaterThanOrEqual(2);
    });

    it('is of one kind for all deployments that there are not', async () => {
      const { predictions } = await search({ outcome: 'NOT_FOUND' });
      expect(predictions.map(({ deployment }) => deployment)).toEqual(['', '']);
      const { predictions: others } = await search({ outcome: 'OVERLOADED' });
      expect(others.map(({ deployment }) => deployment)).toEqual(['']);
      expect(await numbers({ deployment: 'nobody-2' })).toEqual([]);
    });

    it('has no values of inputs that are withheld', async () => {
      const { predictions } = await search({ deployment: 'secret' });
      expect(predictions).toMatchObject([{ predictionId: idOf(101), columns: [], values: [] }]);
      expect(await numbers({ deployment: 'secret', where: ['carat > 0'] })).toEqual([]);
    });

    it.each([
      ['a column that is not there', { where: ['colour = 1'] }, /'colour'; there are carat, cut, price/],
      [
        'a value that is no number',
        { where: ['cut = Nice'] },
        /'Nice' is no number, and no category: (Fair, Ideal|Good, Great)/,
      ],
      ['no value', { where: ["cut = ''"] }, /'' is no number/],
      ['a condition without an operator', { where: ['carat'] }, /write a column, one of/],
      ['a cursor of another list', { cursor: 'x' }, /none of a page of this list/],
    ])('refuses %s', async (_, asked, message) => {
      await expect(search(asked)).rejects.toThrow(message);
    });
  });
}

function outliers(ids: readonly string[]) {
  return {
    deployment: 'diamonds',
    deploymentVersion: 1,
    windowId: 'w',
    findingId: '',
    detector: 'mahalanobis',
    referenceHash: '',
    threshold: 5,
    rows: 100,
    outliers: ids.map((predictionId) => ({ predictionId, score: 9 })),
  };
}

import { onnx } from 'onnx-proto';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { fitBoostedTrees, predictBoostedTrees } from '../../examples/diamonds/boosted-trees.ts';
import { type Diamond, parseDiamonds, readDiamonds } from '../../examples/diamonds/data.ts';
import { fitElasticNet } from '../../examples/diamonds/elastic-net.ts';
import { evaluate } from '../../examples/diamonds/evaluation.ts';
import {
  buildDataset,
  encodeDiamond,
  encodeDiamonds,
  features,
  type Matrix,
} from '../../examples/diamonds/features.ts';
import { binMatrix } from '../../examples/diamonds/histogram-bins.ts';
import { type PriceModel, trainBoostedTrees, trainElasticNet } from '../../examples/diamonds/price-models.ts';
import { createRandom } from '../../examples/diamonds/random.ts';
import { isShifted, referenceSample, splitDiamonds, streamRows } from '../../examples/diamonds/split.ts';
import { encodeTreeEnsemble } from '../../sdk/onnx/index.ts';

const seed = Number(process.env['SEED'] ?? 40);
console.info(`diamonds-training: SEED=${seed}`);
const diamonds = readDiamonds();
const parts = splitDiamonds(diamonds, { seed });
const train = buildDataset(parts.train);
const test = buildDataset(parts.test);
const header = 'carat,cut,color,clarity,depth,table,price,x,y,z';

describe('data', () => {
  it('reads every diamond of the package', () => {
    expect(diamonds).toHaveLength(53_940);
    expect(diamonds[0]).toEqual({
      ...{ id: 0, carat: 0.23, cut: 'Ideal', color: 'E', clarity: 'SI2', depth: 61.5, table: 55 },
      ...{ price: 326, x: 3.95, y: 3.98, z: 2.43 },
    });
    expect(diamonds.at(-1)).toMatchObject({ id: 53_939, carat: 0.75, price: 2757 });
  });

  it('names the line and the column of a value that it cannot read', () => {
    expect(() => parseDiamonds(`${header}\n0.2,Ideal,E,SI2,61,55,cheap,4,4,2\n`)).toThrow(/line 2, 'price'.*'cheap'/);
    expect(() => parseDiamonds(`${header}\n0.2,Ideal\n`)).toThrow(/line 2 has no value for 'color'/);
    expect(() => parseDiamonds('carat,cut\n')).toThrow(/no column 'color'/);
  });

  it('encodes categories by their place from worst to best, all of which occur', () => {
    expect(encodeDiamond(diamonds[0]!)).toEqual([0.23, 4, 5, 1, 61.5, 55, 3.95, 3.98, 2.43]);
    for (const [column, feature] of features.entries()) {
      if (feature.kind === 'numeric') continue;
      const codes = new Set(diamonds.map((diamond) => encodeDiamond(diamond)[column]));
      expect([...codes].sort()).toEqual(feature.categories.map((_, code) => code));
    }
    const odd: Diamond = { ...diamonds[0]!, cut: 'Heart' };
    expect(() => encodeDiamond(odd)).toThrow(/diamond 0: cut 'Heart' is none of Fair, Good/);
  });
});

describe('split', () => {
  const values = ({ id: _, ...rest }: Diamond): string => JSON.stringify(rest);

  it('gives three parts that share no row, not even an equal one', () => {
    expect([parts.train, parts.test, parts.stream].map((part) => part.length)).toEqual([24_000, 6_000, 23_794]);
    const all = [...parts.train, ...parts.test, ...parts.stream];
    expect(new Set(all.map((diamond) => diamond.id)).size).toBe(all.length);
    expect(new Set(all.map(values)).size).toBe(all.length);
  });

  it('is a function of the seed', () => {
    expect(splitDiamonds(diamonds, { seed })).toEqual(parts);
    expect(splitDiamonds(diamonds, { seed: seed + 1 }).train).not.toEqual(parts.train);
  });

  it('refuses to leave nothing to stream', () => {
    expect(() => splitDiamonds(diamonds.slice(0, 10), { seed, trainRows: 8, testRows: 2 })).toThrow(/cannot split 10/);
  });

  it('streams the market first and then large stones only, each row once', () => {
    const { rows, shiftAt } = streamRows(parts.stream, { seed, generalRows: 10_000, shiftedRows: 1_500 });
    expect([rows.length, shiftAt]).toEqual([11_500, 10_000]);
    expect(new Set(rows).size).toBe(rows.length);
    const before = rows.slice(0, shiftAt).filter(isShifted).length / shiftAt;
    expect(before).toBeGreaterThan(0.1);
    expect(before).toBeLessThan(0.13);
    expect(rows.slice(shiftAt).every((diamond) => diamond.carat >= 1.5)).toBe(true);
    expect(streamRows(parts.stream, { seed: seed + 1, generalRows: 10_000 }).rows).not.toEqual(rows);
    expect(() => streamRows(parts.stream, { seed, generalRows: 10_000, shiftedRows: 9_000 })).toThrow(/9000 large/);
    expect(() => streamRows(parts.stream, { seed, generalRows: 30_000 })).toThrow(/of 23794 held-out/);
  });

  it('samples training rows as float32 columns', () => {
    const columns = referenceSample(parts.train, 500, seed);
    expect(columns.map((column) => column.feature)).toEqual(features);
    const trained = new Set(parts.train.map((diamond) => encodeDiamonds([diamond]).values.join()));
    const sampled = Array.from({ length: 500 }, (_, row) => columns.map((column) => column.values[row]).join());
    expect(sampled.every((row) => trained.has(row))).toBe(true);
    expect(() => referenceSample(parts.train.slice(0, 3), 4, seed)).toThrow(/4 of 3/);
  });
});

describe('elastic net', () => {
  const logPrices = train.prices.map(Math.log);
  const rowOf = (x: Matrix, row: number): number[] => [...x.values.subarray(row * x.columns, (row + 1) * x.columns)];

  it('meets the conditions of the optimum in every column', () => {
    const [alpha, l1Ratio] = [0.05, 0.5];
    const fit = fitElasticNet(train.x, logPrices, { alpha, l1Ratio, tolerance: 1e-13 });
    const zeros = fit.coefficients.filter((weight) => weight === 0).length;
    expect(zeros).toBeGreaterThan(0);
    expect(zeros).toBeLessThan(features.length);
    const residuals = logPrices.map(
      (target, row) => target - rowOf(train.x, row).reduce((s, v, j) => s + v * fit.coefficients[j]!, fit.intercept),
    );
    expect(residuals.reduce((a, b) => a + b, 0) / residuals.length).toBeCloseTo(0, 9);
    for (let j = 0; j < train.x.columns; j++) {
      const column = Float64Array.from(logPrices, (_, row) => rowOf(train.x, row)[j]!);
      const mean = column.reduce((a, b) => a + b, 0) / column.length;
      const scale = Math.sqrt(column.reduce((s, v) => s + (v - mean) ** 2, 0) / column.length);
      const weight = fit.coefficients[j]! * scale;
      const correlation = residuals.reduce((s, r, row) => s + (r * (column[row]! - mean)) / scale, 0) / column.length;
      const slope = correlation - alpha * (1 - l1Ratio) * weight;
      if (weight === 0) expect(Math.abs(slope)).toBeLessThanOrEqual(alpha * l1Ratio);
      else expect(slope).toBeCloseTo(alpha * l1Ratio * Math.sign(weight), 6);
    }
  });

  it('stops at a gap that bounds the distance to the minimum', () => {
    const options = { alpha: 0.01, l1Ratio: 0.7 };
    const objective = (coefficients: Float64Array, intercept: number): number => {
      let squares = 0;
      for (let row = 0; row < train.x.rows; row++) {
        const fitted = rowOf(train.x, row).reduce((s, v, j) => s + v * coefficients[j]!, intercept);
        squares += (logPrices[row]! - fitted) ** 2;
      }
      const absolutes = coefficients.reduce((s, w) => s + Math.abs(w), 0);
      const weights = coefficients.reduce((s, w) => s + w * w, 0);
      return squares / 2 + train.x.rows * options.alpha * (0.7 * absolutes + 0.15 * weights);
    };
    const best = fitElasticNet(train.x, logPrices, { ...options, standardize: false, tolerance: 1e-13 });
    const minimum = objective(best.coefficients, best.intercept);
    for (const tolerance of [1e-1, 1e-2, 1e-3, 1e-5]) {
      const fit = fitElasticNet(train.x, logPrices, { ...options, standardize: false, tolerance });
      const excess = objective(fit.coefficients, fit.intercept) - minimum;
      expect(excess).toBeLessThanOrEqual(fit.dualityGap * (1 + 1e-9));
      expect(excess).toBeGreaterThan(-1e-6);
    }
    expect(fitElasticNet(train.x, logPrices, { ...options, tolerance: 1e-1 }).sweeps).toBeLessThan(best.sweeps);
  });

  it('does not care about the unit of a column', () => {
    const inMetres: Matrix = {
      ...train.x,
      values: Float64Array.from(train.x.values, (v, i) => (i % 9 === 6 ? v / 1000 : v)),
    };
    const inMillimetres = fitElasticNet(train.x, logPrices, { alpha: 0.01 });
    const fit = fitElasticNet(inMetres, logPrices, { alpha: 0.01 });
    expect(fit.intercept).toBeCloseTo(inMillimetres.intercept, 6);
    expect(fit.coefficients[6]! / 1000).toBeCloseTo(inMillimetres.coefficients[6]!, 6);
  });

  it('gives a constant column no weight', () => {
    const x: Matrix = { values: Float64Array.of(1, 7, 2, 7, 3, 7), rows: 3, columns: 2 };
    const fit = fitElasticNet(x, Float64Array.of(1, 2, 3), { alpha: 1e-6 });
    expect(fit.coefficients[1]).toBe(0);
    expect(fit.coefficients[0]).toBeCloseTo(1, 4);
  });

  it('refuses options that have no optimum, and says when it did not get there', () => {
    expect(() => fitElasticNet(train.x, logPrices, { alpha: 0 })).toThrow(/alpha must be above 0/);
    expect(() => fitElasticNet(train.x, logPrices, { alpha: 1, l1Ratio: 0 })).toThrow(/l1Ratio must be above 0/);
    expect(() => fitElasticNet(train.x, test.prices, { alpha: 1 })).toThrow(/24000 rows of X and 6000 of y/);
    expect(() => fitElasticNet(train.x, logPrices, { alpha: 0.001, maxSweeps: 1 })).toThrow(/within 1 sweeps/);
  });
});

describe('boosted trees', () => {
  const random = createRandom(seed);
  const rows = 300;
  const small: Matrix = { values: Float32Array.from({ length: rows * 2 }, random), rows, columns: 2 };
  const target = Float64Array.from({ length: rows }, (_, i) => small.values[2 * i]! * 3 + Math.sin(9 * random()));

  it('cuts between neighbouring values, at the lower one where float32 has nothing between them', () => {
    const next = Math.fround(1 + 2 ** -23);
    const x: Matrix = { values: Float32Array.of(2, 0, next, 1, 2, 1), rows: 6, columns: 1 };
    const { thresholds, bins } = binMatrix(x, 8);
    expect([...thresholds[0]!]).toEqual([0.5, 1, 1.5]);
    expect([...bins]).toEqual([3, 0, 2, 1, 3, 1]);
  });

  it('cuts a column of many values into bins of about equal counts', () => {
    const { bins, thresholds } = binMatrix(small, 10);
    for (const column of [0, 1]) {
      expect(thresholds[column]).toHaveLength(9);
      const counts = new Array<number>(10).fill(0);
      for (const bin of bins.subarray(column * rows, (column + 1) * rows)) counts[bin]! += 1;
      expect(counts).toEqual(new Array(10).fill(30));
    }
  });

  it('chooses the split that a search over all of them chooses', () => {
    const { trees } = fitBoostedTrees(small, target, {
      ...{ rounds: 1, maxDepth: 1, learningRate: 1, l2: 0, minRowsPerLeaf: 20, maxBins: 256 },
    });
    const mean = target.reduce((a, b) => a + b, 0) / rows;
    let best = { error: Infinity, column: -1, left: 0 };
    for (const column of [0, 1]) {
      for (let cut = 0; cut < rows; cut++) {
        const threshold = small.values[cut * 2 + column]!;
        const sides = [true, false].map((side) =>
          target.filter((_, i) => small.values[i * 2 + column]! <= threshold === side),
        );
        if (sides.some((side) => side.length < 20)) continue;
        const means = sides.map((side) => side.reduce((a, b) => a + b, 0) / side.length);
        const error = sides.reduce((sum, side, s) => sum + side.reduce((e, v) => e + (v - means[s]!) ** 2, 0), 0);
        if (error < best.error) best = { error, column, left: sides[0]!.length };
      }
    }
    const [tree] = trees;
    expect(tree!.feature[0]).toBe(best.column);
    // 256 bins of 300 rows: the cut may be one row off the free optimum.
    const left = target.filter((_, i) => small.values[i * 2 + best.column]! <= tree!.threshold[0]!);
    expect(Math.abs(left.length - best.left)).toBeLessThanOrEqual(1);
    expect(tree!.value[1]! + mean).toBeCloseTo(left.reduce((a, b) => a + b, 0) / left.length, 5);
  });

  it('keeps to the depth and to the rows per leaf', () => {
    const { baseValue, trees } = fitBoostedTrees(small, target, { rounds: 5, maxDepth: 3, minRowsPerLeaf: 30 });
    for (const tree of trees) {
      const depthOf = (node: number): number =>
        tree.left[node]! < 0 ? 0 : 1 + Math.max(depthOf(tree.left[node]!), depthOf(tree.right[node]!));
      expect(depthOf(0)).toBeLessThanOrEqual(3);
      expect(depthOf(0)).toBeGreaterThan(1);
      const counts = new Map<number, number>();
      for (const value of predictBoostedTrees({ baseValue, trees: [tree] }, small)) {
        counts.set(value, (counts.get(value) ?? 0) + 1);
      }
      expect(Math.min(...counts.values())).toBeGreaterThanOrEqual(30);
    }
  });

  it('fits better with every round, the residuals being those of its own predictions', () => {
    const errors = [1, 2, 4, 8, 16].map((rounds) => {
      const model = fitBoostedTrees(small, target, { rounds, minRowsPerLeaf: 10 });
      return evaluate(predictBoostedTrees(model, small), target).rmse;
    });
    expect(errors).toEqual(errors.toSorted((a, b) => b - a));
    expect(errors.at(-1)).toBeLessThan(errors[0]! * 0.9);
  });

  it('routes neighbouring float32 values as the runtime does', async () => {
    const bits = new Float32Array(new Uint32Array(400).map((_, i) => 0x3f800000 + i).buffer);
    const x: Matrix = { values: bits, rows: 400, columns: 1 };
    const y = Float64Array.from(bits, (_, i) => Math.floor(i / 20) % 2);
    const model = fitBoostedTrees(x, y, { rounds: 3, maxDepth: 8, learningRate: 0.9, minRowsPerLeaf: 1, maxBins: 256 });
    const served = await runOnnx(encodeTreeEnsemble({ ...model, featureCount: 1 }), x, 'prediction');
    const own = predictBoostedTrees(model, x);
    served.forEach((value, row) => expect(value).toBeCloseTo(own[row]!, 6));
    expect(evaluate(own, y).r2).toBeGreaterThan(0.9);
  });

  it('refuses options out of range', () => {
    expect(() => fitBoostedTrees(small, target, { maxBins: 257 })).toThrow(/maxBins must be 2 to 256/);
    expect(() => fitBoostedTrees(small, target, { rounds: 0 })).toThrow(/rounds/);
    expect(() => fitBoostedTrees(small, test.prices)).toThrow(/300 rows of X and 6000 of y/);
  });
});

describe.each([
  { trainModel: trainElasticNet, operators: ['Gemm', 'Clip', 'Exp'], r2: 0.9, bytesMax: 2_000 },
  { trainModel: trainBoostedTrees, operators: ['TreeEnsembleRegressor', 'Exp'], r2: 0.96, bytesMax: 256 * 1024 },
])('price model $trainModel.name', ({ trainModel, operators, r2, bytesMax }) => {
  const model: PriceModel = trainModel(train);

  it('beats the mean baseline clearly on rows that it never met', () => {
    const mean = train.prices.reduce((a, b) => a + b, 0) / train.prices.length;
    const baseline = evaluate(new Float64Array(test.prices.length).fill(mean), test.prices);
    const reached = evaluate(model.predict(test.x), test.prices);
    expect(reached.rmse).toBeLessThan(baseline.rmse / 3);
    expect(reached.mae).toBeLessThan(baseline.mae / 5);
    expect(reached.r2).toBeGreaterThan(r2);
  });

  it('is served by onnxruntime with the same dollars on every test row', async () => {
    const served = await runOnnx(model.onnx, test.x, 'price');
    const own = model.predict(test.x);
    const worst = own.reduce((max, price, row) => Math.max(max, Math.abs(served[row]! - price) / price), 0);
    expect(served).toHaveLength(6_000);
    expect(worst).toBeLessThan(1e-5);
  });

  it('answers absurd measurements with a price of this world', async () => {
    const x = { values: Float32Array.of(0.2, 4, 6, 7, 60, 55, 0, 590, 0, 5, 0, 0, 0, 60, 55, -9, 0, 0), rows: 2 };
    for (const price of await runOnnx(model.onnx, { ...x, columns: 9 }, 'price')) {
      expect(price).toBeGreaterThan(100);
      expect(price).toBeLessThan(50_000);
    }
  });

  it('says its surface, operator sets and features in the file', () => {
    const read = onnx.ModelProto.decode(model.onnx);
    const plain = onnx.ModelProto.toObject(read, { longs: Number, arrays: true });
    expect(plain['irVersion']).toBe(8);
    expect(plain['opsetImport']).toEqual([
      { domain: '', version: 17 },
      { domain: 'ai.onnx.ml', version: 3 },
    ]);
    expect(plain['graph'].node.map((node: { opType: string }) => node.opType)).toEqual(operators);
    const tensor = (name: string, columns: number): object => ({
      name,
      type: { tensorType: { elemType: 1, shape: { dim: [{ dimParam: 'N' }, { dimValue: columns }] } } },
    });
    expect(plain['graph'].input).toMatchObject([tensor('features', 9)]);
    expect(plain['graph'].output).toMatchObject([tensor('price', 1)]);
    const metadata = plain['metadataProps'] as { key: string; value: string }[];
    expect(JSON.parse(metadata.find(({ key }) => key === 'features')!.value)).toEqual(features);
  });

  it('gives the same bytes again, few enough to travel in a record', () => {
    expect(trainModel(train).onnx).toEqual(model.onnx);
    expect(model.onnx.byteLength).toBeLessThan(bytesMax);
  });
});

describe('evaluate', () => {
  it('gives rmse, mae and r2', () => {
    const truth = Float64Array.of(1, 2, 3, 6);
    expect(evaluate(Float64Array.of(1, 2, 3, 2), truth)).toEqual({ rmse: 2, mae: 1, r2: 1 - 16 / 14 });
    expect(
      evaluate(
        truth.map(() => 3),
        truth,
      ).r2,
    ).toBe(0);
    expect(() => evaluate(truth, Float64Array.of())).toThrow(/4 predictions with 0/);
  });
});

async function runOnnx(model: Uint8Array, x: Matrix, output: string): Promise<Float32Array> {
  const session = await InferenceSession.create(model);
  const answer = await session.run({
    features: new Tensor('float32', Float32Array.from(x.values), [x.rows, x.columns]),
  });
  expect(answer[output]!.dims).toEqual([x.rows, 1]);
  return answer[output]!.data as Float32Array;
}

import { describe, expect, test } from 'vitest';
import { type ContextKernels, contextDiscrepancy, contextMmdTest } from '../../../statistics/drift/context-mmd.ts';
import { kernelLogistic } from '../../../statistics/drift/kernel-logistic.ts';
import { mmdTest } from '../../../statistics/drift/mmd.ts';
import { seededRandom } from '../../../statistics/random.ts';

const SEED = 'context mmd';

/** Solves A x = b by Gauss and Jordan, with pivots. */
function solved(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const a = matrix.map((row, i) => [...row, right[i]!]);
  const n = a.length;
  for (let c = 0; c < n; c++) {
    const pivot = a.slice(c).reduce((best, row, i) => (Math.abs(row[c]!) > Math.abs(a[best]![c]!) ? c + i : best), c);
    [a[c], a[pivot]] = [a[pivot]!, a[c]!];
    for (let r = 0; r < n; r++) {
      if (r === c) continue;
      const factor = a[r]![c]! / a[c]![c]!;
      for (let k = c; k <= n; k++) a[r]![k]! -= factor * a[c]![k]!;
    }
  }
  return a.map((row, i) => row[n]! / row[i]!);
}

describe('the context-aware discrepancy', () => {
  const random = seededRandom(SEED);

  test('is the distance of the conditional embeddings, written out', () => {
    const [count, heldCount, lambda] = [13, 4, 0.03];
    const rows = Array.from({ length: count }, () => [random.normal(), random.normal()]);
    const contexts = Array.from({ length: count + heldCount }, () => random.normal());
    const k = (a: number[], b: number[]) => Math.exp(-a.reduce((sum, v, i) => sum + (v - b[i]!) ** 2, 0) / 2);
    const l = (a: number, b: number) => Math.exp(-((a - b) ** 2) / 2);
    const labels = Uint8Array.from(rows, (_, i) => (i % 3 === 0 ? 1 : 0));
    const kernels: ContextKernels = {
      rows: Float64Array.from(rows.flatMap((a) => rows.map((b) => k(a, b)))),
      contexts: Float64Array.from(
        contexts.slice(0, count).flatMap((a) => contexts.slice(0, count).map((b) => l(a, b))),
      ),
      held: Float64Array.from(contexts.slice(count).flatMap((a) => contexts.slice(0, count).map((b) => l(a, b)))),
      count,
    };
    const groups = [0, 1].map((label) => rows.map((_, i) => i).filter((i) => labels[i] === label));
    let sum = 0;
    for (const c of contexts.slice(count)) {
      const [zero, one] = groups.map((places) =>
        solved(
          places.map((i) => places.map((j) => l(contexts[i]!, contexts[j]!) + (i === j ? places.length * lambda : 0))),
          places.map((i) => l(contexts[i]!, c)),
        ),
      ) as [number[], number[]];
      const inner = (g: number, h: number, a: number[], b: number[]) =>
        groups[g]!.reduce(
          (s, i, x) => s + groups[h]!.reduce((t, j, y) => t + a[x]! * b[y]! * k(rows[i]!, rows[j]!), 0),
          0,
        );
      sum += inner(0, 0, zero, zero) + inner(1, 1, one, one) - 2 * inner(0, 1, zero, one);
    }
    expect(contextDiscrepancy(kernels, labels, lambda)).toBeCloseTo(sum / heldCount, 10);
  });

  const sample = (count: number, context: () => number, shift = 0) => {
    const contexts = Array.from({ length: count }, () => [context()]);
    return { contexts, rows: contexts.map(([c]) => [2 * Math.sin(c!) + 0.5 * random.normal() + shift]) };
  };

  test('has a small p-value when what follows from a context changed, not when the contexts did', () => {
    const reference = sample(80, () => random.normal());
    const narrow = sample(80, () => 1 + 0.3 * random.normal());
    const changed = sample(80, () => 1 + 0.3 * random.normal(), 1);
    const of = (current: typeof narrow) => contextMmdTest(reference, current, seededRandom(SEED), { permutations: 39 });
    expect(mmdTest(reference.rows, narrow.rows, seededRandom(SEED), { permutations: 39 }).pValue).toBe(1 / 40);
    expect(of(narrow).pValue).toBeGreaterThan(0.1);
    expect(of(changed)).toMatchObject({ pValue: 1 / 40 });
    expect(of(changed).statistic).toBeGreaterThan(3 * of(changed).nullMean);
    expect(of(changed)).toEqual(of(changed));
  });

  test('takes rows and contexts that are all equal, and refuses what is no sample', () => {
    const flat = { rows: Array.from({ length: 12 }, () => [1]), contexts: Array.from({ length: 12 }, () => [1]) };
    expect(contextMmdTest(flat, flat, random, { permutations: 9 }).pValue).toBe(1);
    expect(() => contextMmdTest({ rows: flat.rows, contexts: [] }, flat, random)).toThrow(
      'reference.contexts must hold',
    );
    expect(() => contextMmdTest({ ...flat, contexts: flat.contexts.slice(1) }, flat, random)).toThrow(
      'reference.rows and reference.contexts must be equally long, got 12 and 11',
    );
  });
});

test('kernel logistic regression is where the gradient vanishes', () => {
  const random = seededRandom(`${SEED}/logistic`);
  const n = 40;
  const x = Array.from({ length: n }, () => random.normal());
  const labels = x.map((value) => Number(random.uniform() < 1 / (1 + Math.exp(-2 * value))));
  const kernel = x.map((a) => x.map((b) => Math.exp(-((a - b) ** 2) / 2)));
  const ridge = 0.5;
  const chances = kernelLogistic(Float64Array.from(kernel.flat()), labels, ridge);
  const ones = labels.reduce((a, b) => a + b, 0);
  // f = K (z − p) / ridge at the optimum.
  for (let i = 0; i < n; i++) {
    const f = kernel[i]!.reduce((sum, value, j) => sum + value * (labels[j]! - chances[j]!), 0) / ridge;
    expect(Math.log(chances[i]! / (1 - chances[i]!)) - Math.log(ones / (n - ones))).toBeCloseTo(f, 4);
  }
  expect(chances[x.indexOf(Math.max(...x))]).toBeGreaterThan(0.7);
});

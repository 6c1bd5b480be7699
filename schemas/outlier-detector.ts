/**
 * A fitted outlier detector as a file: JSON that names everything by which any language can score a row. Attached to a model version, or put
 * as a blob; a deployment names it in `monitors.detectors[].fitted` or `fittedHash`.
 */
import { type TSchema, Type } from 'typebox';
import { breaches } from './breaches.ts';

interface DetectorFileBase {
  readonly type: 'millrace-outlier-detector';
  readonly version: 1;
  /** Names of the features, in the order in which the model takes them. */
  readonly columns: readonly string[];
  /** Share of the rows it was fitted to that lie beyond the threshold; null: the threshold was given. */
  readonly falsePositiveRate: number | null;
  /** Rows that it was fitted to. */
  readonly rows: number;
}

/** Fitted by the SDK: `model` is the document that `statistics/outliers/outlier-model.ts` reads. */
export interface StatisticalDetectorFile extends DetectorFileBase {
  readonly method: 'mahalanobis' | 'isolation-forest' | 'knn';
  /** A row whose score is above it is an outlier. */
  readonly threshold: number;
  readonly model: { readonly method: string };
}

/** Any model: one that gives its rows again (an autoencoder), or one that gives a score. */
export interface OnnxDetectorFile extends DetectorFileBase {
  /** `onnx-reconstruction`: the score is the mean squared error over the columns. `onnx-score`: larger is farther out. */
  readonly method: 'onnx-reconstruction' | 'onnx-score';
  /** null: what the stated share of `sample` exceeds. */
  readonly threshold: number | null;
  /** The ONNX file, base64. Its one input is a matrix of the columns. */
  readonly onnx: string;
  /** Output that is looked at. */
  readonly output: string;
  /** Rows without missing values, for the threshold and for what is usual of a column. */
  readonly sample: readonly (readonly number[])[];
}

export type OutlierDetectorFile = StatisticalDetectorFile | OnnxDetectorFile;

export function isOnnxDetector(file: OutlierDetectorFile): file is OnnxDetectorFile {
  return file.method === 'onnx-reconstruction' || file.method === 'onnx-score';
}

const base: Readonly<Record<string, TSchema>> = {
  type: Type.Literal('millrace-outlier-detector'),
  version: Type.Literal(1),
  columns: Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { minItems: 1, maxItems: 2_000 }),
  falsePositiveRate: Type.Union([Type.Null(), Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1 })]),
  rows: Type.Integer({ minimum: 2 }),
};

const schemas = {
  statistical: Type.Object({
    ...base,
    method: Type.Enum(['mahalanobis', 'isolation-forest', 'knn']),
    threshold: Type.Number(),
    model: Type.Object({ method: Type.Enum(['mahalanobis', 'isolation-forest', 'knn']) }),
  }),
  onnx: Type.Object({
    ...base,
    method: Type.Enum(['onnx-reconstruction', 'onnx-score']),
    threshold: Type.Union([Type.Null(), Type.Number()]),
    onnx: Type.String({ minLength: 1 }),
    output: Type.String({ minLength: 1, maxLength: 256 }),
    sample: Type.Array(Type.Array(Type.Number()), { minItems: 20, maxItems: 100_000 }),
  }),
} as const;

/** @throws RangeError that says everything that is wrong */
export function parseOutlierDetector(bytes: Uint8Array): OutlierDetectorFile {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw new RangeError('the fitted detector is no JSON');
  }
  const method = String((value as { readonly method?: unknown } | null)?.method);
  const found = breaches(method.startsWith('onnx') ? schemas.onnx : schemas.statistical, value);
  if (found.length > 0) {
    const list = found.slice(0, 5).map(({ path, says }) => `${path === '' ? 'it' : path} ${says}`);
    throw new RangeError(`this is no fitted detector: ${list.join('; ')}`);
  }
  if (method === 'isolation-forest') checkForest(value as StatisticalDetectorFile);
  return value as OutlierDetectorFile;
}

/** A walk from the root of a tree ends: children come after their node. */
function checkForest({ model }: StatisticalDetectorFile): void {
  const { trees } = (model as { readonly model?: { readonly trees?: unknown } }).model ?? {};
  if (!Array.isArray(trees)) throw new RangeError('this is no fitted detector: model.model.trees is no list');
  for (const [at, tree] of (trees as readonly Partial<Record<string, readonly number[]>>[]).entries())
    for (const [node, feature] of (tree['feature'] ?? []).entries()) {
      const isEnd = !(feature >= 0);
      if (isEnd || [tree['left'], tree['right']].every((child) => (child?.[node] ?? 0) > node)) continue;
      throw new RangeError(
        `this is no fitted detector: a child of node ${node} of model.model.trees.${at} does not come after it`,
      );
    }
}

/**
 * What one call logs of a model that was trained in TypeScript: its parameters, how good it is on the rows that it was trained on and on rows that
 * it has not met, digests of both, and the model itself as a folder that MLflow's clients load and the registry takes.
 */
import { hash } from 'node:crypto';
import { onnxFile, onnxMlmodel } from '../../schemas/codec/onnx-mlmodel.ts';
import { regressionMetrics } from '../../statistics/metrics/regression.ts';
import type { DatasetSource } from './run-logger.ts';

/** Row by row: `values[row * columns + column]`. */
export interface RowMatrix {
  readonly values: Float32Array | Float64Array;
  readonly rows: number;
  readonly columns: number;
}

export interface LabelledRows {
  readonly x: RowMatrix;
  /** One a row. */
  readonly y: ArrayLike<number>;
  /** What people call the data. @default `training` or `test` */
  readonly name?: string | undefined;
}

/** A regression model, as trainers leave it. */
export interface TrainedModel {
  /** Such as `elastic-net`. */
  readonly family: string;
  readonly parameters: Readonly<Record<string, string | number | boolean>>;
  /** Input float32 [rows, columns], output float32 [rows, 1]. */
  readonly onnx: Uint8Array;
  /** One number a row. */
  readonly predict: (x: RowMatrix) => ArrayLike<number>;
}

export interface AutologOptions {
  readonly train: LabelledRows;
  /** Rows that it has not met. */
  readonly test?: LabelledRows | undefined;
  /** Goes before every name, for runs in which several models are trained: `linear/rmse`. @default none */
  readonly name?: string | undefined;
  /** Names of input and output in the ONNX file. @default features, prediction */
  readonly inputName?: string | undefined;
  readonly outputName?: string | undefined;
}

export interface AutologRecord {
  readonly params: Readonly<Record<string, string | number | boolean>>;
  /** `rmse`, `mae`, `r2` of the test rows, and with `training_` before them of the others. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly datasets: readonly DatasetSource[];
  /** Path to content. */
  readonly files: Readonly<Record<string, Uint8Array | string>>;
}

export function autologRecord(model: TrainedModel, options: AutologOptions): AutologRecord {
  const { train, test, name } = options;
  const prefix = name === undefined ? '' : `${name}/`;
  const under = <T>(values: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(values).map(([key, value]) => [prefix + key, value]));
  const judged = test === undefined ? {} : qualityOf(model, test, '');
  return {
    params: under({ family: model.family, ...model.parameters }),
    metrics: under({ ...qualityOf(model, train, 'training_'), ...judged }),
    datasets: [sourceOf(train, 'training'), ...(test === undefined ? [] : [sourceOf(test, 'test')])],
    files: {
      [`${prefix}model/${onnxFile}`]: model.onnx,
      [`${prefix}model/MLmodel`]: mlmodelOf(train.x.columns, options),
    },
  };
}

function qualityOf({ predict }: TrainedModel, { x, y }: LabelledRows, prefix: string): Record<string, number> {
  const { rmse, mae, r2 } = regressionMetrics(y, predict(x));
  return { [`${prefix}rmse`]: rmse, [`${prefix}mae`]: mae, ...(r2 === null ? {} : { [`${prefix}r2`]: r2 }) };
}

const digestLength = 32;

/** The same values have the same digest, wherever they came from. */
function sourceOf({ x, y, name }: LabelledRows, context: 'training' | 'test'): DatasetSource {
  const { values, rows, columns } = x;
  const parts = [
    Buffer.from(`${rows}x${columns}\u0000`),
    Buffer.from(values.buffer, values.byteOffset, values.byteLength),
    Buffer.from(Float64Array.from(y).buffer),
  ];
  return { name: name ?? context, digest: hash('sha256', Buffer.concat(parts), 'hex').slice(0, digestLength), context };
}

function mlmodelOf(columns: number, { inputName = 'features', outputName = 'prediction' }: AutologOptions): string {
  const tensor = (name: string, width: number): object => ({
    name,
    type: 'tensor',
    'tensor-spec': { dtype: 'float32', shape: [-1, width] },
  });
  return onnxMlmodel({
    createdMs: Date.now(),
    inputs: [tensor(inputName, columns)],
    outputs: [tensor(outputName, 1)],
  });
}

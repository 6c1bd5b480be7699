/**
 * Detectors that were fitted before, in a worker thread: opened once, by the hash of their file. A model in ONNX runs here too, under the
 * limits of the pool.
 */
import { createOnnxRuntime } from '../../runtime/adapters/onnx/onnx-runtime.ts';
import { hasCode } from '../../runtime/ports/errors.ts';
import type { Detector } from '../../schemas/detectors.ts';
import type { RowScore } from '../../schemas/events.ts';
import {
  isOnnxDetector,
  type OnnxDetectorFile,
  type OutlierDetectorFile,
  parseOutlierDetector,
} from '../../schemas/outlier-detector.ts';
import { empiricalThreshold } from '../../statistics/outliers/mahalanobis.ts';
import {
  mediansOf,
  type OutlierModel,
  outlierScore,
  outlierShares,
  sharesOf,
} from '../../statistics/outliers/outlier-model.ts';
import { targetColumns } from './compared-columns.ts';
import { NotAssessable } from './reference-sample.ts';
import { largestShares, rowAt } from './score-outliers.ts';
import type { OutlierScore, WindowToScore } from './window-score.ts';

type Rows = readonly (readonly number[])[];

interface OpenDetector {
  readonly file: OutlierDetectorFile;
  readonly threshold: number;
  scores(rows: Rows): Promise<readonly number[]>;
  shares(row: readonly number[], score: number): Promise<readonly number[]>;
  close(): Promise<void>;
}

const open = new Map<string, OpenDetector>();
const openMax = 8;
/** Why files are no detectors: they stay what they are, and opening one takes long. */
const refused = new Map<string, Error>();
const refusedMax = 64;

/** Whether there is an answer without its bytes. */
export const isOpen = (hash: string): boolean => open.has(hash) || refused.has(hash);

/** `bytes`: of the file, where it is not open. @throws NotAssessable, RangeError or MillraceError with the reason there is no verdict */
export async function scoreByFitted(
  detector: Detector,
  hash: string,
  bytes: Uint8Array,
  window: WindowToScore,
): Promise<OutlierScore> {
  const { minRows } = detector.window;
  if (window.rows < minRows)
    throw new NotAssessable(`the window has ${window.rows} rows, the deployment asks for at least ${minRows}`);
  const fitted = await opened(hash, bytes);
  const { file } = fitted;
  if (file.method !== detector.method)
    throw new NotAssessable(
      `the fitted detector is of method '${file.method}', the deployment says '${detector.method}'`,
    );
  const here = targetColumns(detector, window);
  const columns = file.columns.map((name) => {
    const column = here.find((known) => known.name === name);
    if (column !== undefined) return column;
    const list = here.map((known) => known.name).join(', ');
    throw new NotAssessable(
      `the ${detector.target} have no column '${name}', which the fitted detector needs; they have ${list}`,
    );
  });
  const complete = Array.from({ length: window.rows }, (_, place) => ({
    named: rowAt(window, place),
    row: columns.map(({ values }) => values[place] ?? Number.NaN),
  })).filter(({ row }) => row.every(Number.isFinite));
  const scores = await fitted.scores(complete.map(({ row }) => row));
  const threshold = detector.threshold ?? fitted.threshold;
  const outliers: RowScore[] = [];
  for (const [place, { named, row }] of complete.entries()) {
    const score = farthest(scores[place] ?? Number.NaN);
    if (!(score > threshold)) continue;
    outliers.push({ ...named, score, ...largestShares(columns, await fitted.shares(row, score)) });
  }
  return { finds: 'outliers', threshold, outliers, scoredRows: complete.length };
}

async function opened(hash: string, bytes: Uint8Array): Promise<OpenDetector> {
  const refusal = refused.get(hash);
  if (refusal !== undefined) throw refusal;
  const detector = open.get(hash) ?? (await openBytes(hash, bytes));
  // The newest is last.
  open.delete(hash);
  open.set(hash, detector);
  for (const [oldest, other] of open) {
    if (open.size <= openMax) break;
    open.delete(oldest);
    await other.close();
  }
  return detector;
}

async function openBytes(hash: string, bytes: Uint8Array): Promise<OpenDetector> {
  try {
    return await openFile(parseOutlierDetector(bytes));
  } catch (error) {
    if (error instanceof NotAssessable || error instanceof RangeError || hasCode(error, 'MODEL_REFUSED')) {
      if (refused.size >= refusedMax) refused.clear();
      refused.set(hash, error);
    }
    throw error;
  }
}

async function openFile(file: OutlierDetectorFile): Promise<OpenDetector> {
  if (isOnnxDetector(file)) {
    const session = await createOnnxRuntime().load(Buffer.from(file.onnx, 'base64'));
    try {
      return await openOnnx(file, session);
    } catch (error) {
      await session.close();
      throw error;
    }
  }
  const model = file.model as OutlierModel;
  return {
    file,
    threshold: file.threshold,
    scores: (rows) => Promise.resolve(rows.map((row) => outlierScore(model, row))),
    shares: (row) => Promise.resolve(outlierShares(model, row)),
    close: () => Promise.resolve(),
  };
}

type Session = Awaited<ReturnType<ReturnType<typeof createOnnxRuntime>['load']>>;

async function openOnnx(file: OnnxDetectorFile, session: Session): Promise<OpenDetector> {
  const { method, output, columns, sample, falsePositiveRate } = file;
  const width = columns.length;
  const [input] = session.signature.inputs;
  if (input === undefined || session.signature.inputs.length !== 1 || !/^FP(32|64)$/.test(input.datatype))
    throw new NotAssessable('the model of a fitted detector must have one input, a matrix of FP32 or FP64');
  const { name, datatype } = input;
  const run = async (rows: Rows): Promise<Float64Array> => {
    const flat = rows.flat();
    const data = datatype === 'FP32' ? Float32Array.from(flat) : Float64Array.from(flat);
    const answers = await session.run([{ name, datatype, shape: [rows.length, width], data }]);
    const answer = answers.find((one) => one.name === output);
    const perRow = method === 'onnx-score' ? 1 : width;
    const isReal = answer?.datatype === 'FP32' || answer?.datatype === 'FP64';
    const numbers = isReal ? Float64Array.from(answer.data as ArrayLike<number>) : undefined;
    if (numbers === undefined || numbers.length !== rows.length * perRow) {
      const known = session.signature.outputs.map((one) => one.name).join(', ');
      throw new NotAssessable(
        `the model must give ${perRow} number(s) a row as '${output}', got ${numbers?.length ?? 'none'} for ${rows.length} rows; it has ${known}`,
      );
    }
    return numbers;
  };
  /** Squared errors by column. */
  const errorsOf = async (rows: Rows): Promise<readonly (readonly number[])[]> => {
    const again = await run(rows);
    return rows.map((row, at) =>
      row.map((value, column) => farthest((value - (again[at * width + column] ?? Number.NaN)) ** 2)),
    );
  };
  const scores = async (rows: Rows): Promise<readonly number[]> => {
    const all: number[] = [];
    for (let at = 0; at < rows.length; at += rowsAtOnce) {
      const some = rows.slice(at, at + rowsAtOnce);
      if (method === 'onnx-score') all.push(...Array.from(await run(some), farthest));
      else all.push(...(await errorsOf(some)).map((errors) => errors.reduce((sum, error) => sum + error, 0) / width));
    }
    return all;
  };
  const usual = mediansOf(sample);
  return {
    file,
    threshold: file.threshold ?? empiricalThreshold(await scores(sample), falsePositiveRate ?? 0.01),
    scores,
    shares: async (row, score) => {
      if (method === 'onnx-score') {
        const others = await scores(row.map((_, column) => row.with(column, usual[column] ?? 0)));
        return score === Infinity ? evenly(others.map((other) => other < score)) : sharesOf(score, others);
      }
      const [errors = []] = await errorsOf([row]);
      if (score === Infinity) return evenly(errors.map((error) => error === Infinity));
      return errors.map((error) => error / (score * width || 1));
    },
    close: () => session.close(),
  };
}

const rowsAtOnce = 1_024;

/** A model that answers no number does so for a row that is beyond what it can count with: no row lies farther out. */
const farthest = (score: number): number => (Number.isNaN(score) ? Number.POSITIVE_INFINITY : score);

function evenly(causes: readonly boolean[]): readonly number[] {
  const count = causes.filter(Boolean).length;
  return causes.map((isCause) => (isCause ? 1 / count : 0));
}

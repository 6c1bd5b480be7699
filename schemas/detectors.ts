/**
 * Detectors of a deployment: what each looks at, by which method, against which reference, in which windows. `monitors.drift` and
 * `monitors.outliers` are the two that most deployments need, in short; {@link detectorsOf} gives all of them in one form.
 */
import { type DetectorMethodName, methodOf } from './detector-methods.ts';
import type { DeploymentDocument, MonitorSettings } from './deployment-document.ts';
import type { WindowTerms } from './events.generated.ts';

/**
 * What a detector looks at. `scores`: outputs of several columns (class probabilities). The last three come from feedback: `residuals`
 * prediction − truth, `errors` 1 = wrong (rule `equal`), `rewards`.
 */
export const detectorTargets = {
  inputs: { stream: 'predictions', columns: undefined },
  outputs: { stream: 'predictions', columns: undefined },
  scores: { stream: 'predictions', columns: undefined },
  residuals: { stream: 'feedback', columns: ['residual'] },
  errors: { stream: 'feedback', columns: ['wrong'] },
  rewards: { stream: 'feedback', columns: ['reward'] },
} as const satisfies Readonly<
  Record<string, { readonly stream: DetectorStream; readonly columns: readonly string[] | undefined }>
>;
export type DetectorTarget = keyof typeof detectorTargets;
export type DetectorStream = 'predictions' | 'feedback';

export interface DetectorSettings {
  /** `[a-z0-9][a-z0-9-]{0,62}`, unique in the deployment; findings and alerts name it. */
  readonly name: string;
  readonly method: DetectorMethodName;
  /** @default inputs */
  readonly target?: DetectorTarget;
  /** Names of features or outputs. @default all that the method can take */
  readonly columns?: readonly string[];
  /** Columns that hold codes of categories; of the inputs, the features say it. */
  readonly categorical?: readonly string[];
  /** Of a method that needs it: names of inputs that may change without that being drift. */
  readonly context?: readonly string[];
  /** @default the deployment's window */
  readonly window?: DetectorWindow;
  /** @default the deployment's reference sample */
  readonly reference?: DetectorReference;
  /** @default 0.05 */
  readonly alpha?: number;
  /** @default bonferroni */
  readonly correction?: 'none' | 'bonferroni' | 'benjamini-hochberg';
  /** @default by method */
  readonly minEffectSize?: number;
  /** Findings in a row before the alarm, and before it ends. @default 1 and 1 */
  readonly raiseAfter?: number;
  readonly clearAfter?: number;
  /** Of an outlier detector: share of the reference beyond the threshold. @default 0.01 */
  readonly falsePositiveRate?: number;
  /** Of an outlier detector: the threshold itself, instead of a rate. */
  readonly threshold?: number;
  /** Of an online detector: a finding at least every so many rows. @default 1000 */
  readonly reportEvery?: number;
  /** Of an outlier detector: one that was fitted before and belongs to a model version, `models:/<model>@<alias>#<name>`. */
  readonly fitted?: string;
  /** Blob with the fitted detector; made of `fitted`, or given. */
  readonly fittedHash?: string;
  /** Options of the method. */
  readonly options?: Readonly<Record<string, number>>;
}

export type DetectorWindow = CountWindow | TimeWindow;

/** The newest `rows` rows. */
export interface CountWindow {
  readonly rows: number;
  /** A new window after so many rows; fewer than `rows`: windows slide. @default rows */
  readonly everyRows?: number;
  /** It also closes when its first row is so old and it has at least `minRows`. */
  readonly minRows?: number;
  readonly maxAgeMs?: number;
}

/** Rows by their own time (when the request was received). */
export interface TimeWindow {
  readonly lengthMs: number;
  /** A new window after so long; a divisor of `lengthMs`: windows slide. @default lengthMs */
  readonly everyMs?: number;
  /** A window waits so long for its rows; later ones are counted, not used. @default 1000 */
  readonly latenessMs?: number;
  /** Below it there is no verdict. @default 20 */
  readonly minRows?: number;
  /** Beyond it rows are sampled. @default 100000 */
  readonly rows?: number;
}

/** The training data; the first rows of the deployment's version; or an earlier window (24 of an hour: the same hour yesterday). */
export type DetectorReference =
  | { readonly kind: 'artifact'; readonly hash: string }
  | { readonly kind: 'first'; readonly rows: number }
  | { readonly kind: 'window'; readonly back: number };

/** A detector with nothing left open. */
export interface Detector
  extends Required<Omit<DetectorSettings, 'columns' | 'window' | 'threshold' | 'reference' | 'fitted' | 'fittedHash'>> {
  readonly columns: readonly string[] | undefined;
  readonly threshold: number | undefined;
  /** Blob with the fitted detector, which needs no reference. */
  readonly fittedHash: string | undefined;
  readonly reference: DetectorReference | undefined;
  readonly stream: DetectorStream;
  readonly window: WindowTerms;
}

/** Every detector of the deployment; those in short are named `tabular-drift` and `mahalanobis`. */
export function detectorsOf(document: Pick<DeploymentDocument, 'monitors'>): readonly Detector[] {
  const { monitors } = document;
  const { drift, outliers, detectors = [] } = monitors;
  return [
    ...(drift === undefined ? [] : [filled({ name: 'tabular-drift', method: 'tabular', ...drift }, monitors)]),
    ...(outliers === undefined ? [] : [filled({ name: 'mahalanobis', method: 'mahalanobis', ...outliers }, monitors)]),
    ...detectors.map((settings) => filled(settings, monitors)),
  ];
}

function filled(settings: DetectorSettings, monitors: MonitorSettings): Detector {
  const method = methodOf(settings.method);
  const target = settings.target ?? 'inputs';
  const { stream, columns } = detectorTargets[target];
  const training: DetectorReference | undefined =
    monitors.referenceHash === undefined ? undefined : { kind: 'artifact', hash: monitors.referenceHash };
  return {
    name: settings.name,
    method: settings.method,
    target,
    stream,
    columns: settings.columns ?? columns,
    categorical: settings.categorical ?? [],
    context: settings.context ?? [],
    window: windowTerms(settings, stream, monitors),
    reference: settings.reference ?? training,
    alpha: settings.alpha ?? 0.05,
    correction: settings.correction ?? 'bonferroni',
    minEffectSize: settings.minEffectSize ?? method.minEffectSize,
    raiseAfter: settings.raiseAfter ?? 1,
    clearAfter: settings.clearAfter ?? 1,
    falsePositiveRate: settings.falsePositiveRate ?? 0.01,
    threshold: settings.threshold,
    fittedHash: settings.fittedHash,
    reportEvery: settings.reportEvery ?? 1_000,
    options: settings.options ?? {},
  };
}

/** Windows of the same settings are one; the id says the settings. '' is the deployment's own window of predictions. */
function windowTerms(settings: DetectorSettings, stream: DetectorStream, monitors: MonitorSettings): WindowTerms {
  const referenceRows = settings.reference?.kind === 'first' ? settings.reference.rows : 0;
  const window = settings.window ?? monitors.window;
  const timed = 'lengthMs' in window;
  const rows = window.rows ?? 100_000;
  const terms = {
    stream,
    rows,
    everyRows: timed ? 0 : ((window as CountWindow).everyRows ?? rows),
    minRows: Math.min(rows, window.minRows ?? (timed ? 20 : Math.min(rows, monitors.window.minRows))),
    maxAgeMs: timed ? 0 : ((window as CountWindow).maxAgeMs ?? monitors.window.maxAgeMs),
    lengthMs: timed ? window.lengthMs : 0,
    everyMs: timed ? (window.everyMs ?? window.lengthMs) : 0,
    latenessMs: timed ? (window.latenessMs ?? 1_000) : 0,
    referenceRows,
  };
  const isMain = settings.window === undefined && stream === 'predictions' && referenceRows === 0;
  const { stream: _, ...numbers } = terms;
  return { id: isMain ? '' : Object.values(numbers).join('-'), ...terms };
}

/** What folds must know: windows beside the deployment's own, each once. */
export function extraWindows(detectors: readonly Detector[]): readonly WindowTerms[] {
  const windows = new Map<string, WindowTerms>();
  for (const { window, method, reference } of detectors) {
    // A detector that goes row by row needs a window only for its reference.
    if (methodOf(method).runs === 'row' && reference?.kind !== 'first') continue;
    if (window.id !== '') windows.set(`${window.stream}/${window.id}`, window);
  }
  return [...windows.values()];
}

/** Names of the detectors that go row by row, by the rows that they read. */
export function onlineDetectors(detectors: readonly Detector[], stream: DetectorStream): readonly string[] {
  return detectors
    .filter((detector) => methodOf(detector.method).runs === 'row' && detector.stream === stream)
    .map(({ name }) => name);
}

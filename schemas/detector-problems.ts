/** What is wrong with the detectors of a deployment. */
import { type TSchema, Type } from 'typebox';
import { attachedPattern } from './attached.ts';
import {
  detectorMethods,
  type DetectorMethodName,
  filledOptions,
  leastPermutations,
  levelOf,
  methodOf,
  smallestPValue,
} from './detector-methods.ts';
import { detectorTargets, type DetectorSettings, type DetectorTarget } from './detectors.ts';
import type { MonitorSettings } from './deployment-document.ts';

const closed = { additionalProperties: false };
const count = Type.Integer({ minimum: 1, maximum: 1_000_000 });
const durationMs = Type.Integer({ minimum: 1, maximum: 366 * 86_400_000 });
const probability = Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1 });
const names = Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { minItems: 1, maxItems: 2_000 });

const windowSchema: TSchema = Type.Object(
  {
    rows: Type.Optional(count),
    everyRows: Type.Optional(count),
    minRows: Type.Optional(count),
    maxAgeMs: Type.Optional(durationMs),
    lengthMs: Type.Optional(durationMs),
    everyMs: Type.Optional(durationMs),
    latenessMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 7 * 86_400_000 })),
  },
  { ...closed, description: 'by count: rows, everyRows, maxAgeMs; by time: lengthMs, everyMs, latenessMs' },
);

const referenceSchema: TSchema = Type.Object(
  {
    kind: Type.Enum(['artifact', 'first', 'window']),
    hash: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$' })),
    rows: Type.Optional(Type.Integer({ minimum: 20, maximum: 100_000 })),
    back: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })),
  },
  closed,
);

export const detectorSchema: TSchema = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$' }),
    method: Type.Enum(Object.keys(detectorMethods)),
    target: Type.Optional(Type.Enum(Object.keys(detectorTargets))),
    columns: Type.Optional(names),
    categorical: Type.Optional(names),
    context: Type.Optional(names),
    window: Type.Optional(windowSchema),
    reference: Type.Optional(referenceSchema),
    alpha: Type.Optional(probability),
    correction: Type.Optional(Type.Enum(['none', 'bonferroni', 'benjamini-hochberg'])),
    minEffectSize: Type.Optional(Type.Number({ minimum: 0 })),
    raiseAfter: Type.Optional(count),
    clearAfter: Type.Optional(count),
    falsePositiveRate: Type.Optional(probability),
    threshold: Type.Optional(Type.Number()),
    reportEvery: Type.Optional(count),
    fitted: Type.Optional(
      Type.String({
        pattern: attachedPattern,
        description: 'fitted detector of a model version: models:/<model>@<alias>#<name>',
      }),
    ),
    fittedHash: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$' })),
    options: Type.Optional(Type.Record(Type.String(), Type.Number())),
  },
  closed,
);

/** What the schema cannot say. Looks only at detectors that have their shape. */
export function detectorProblems(monitors: Partial<MonitorSettings>): readonly string[] {
  const { detectors } = monitors;
  if (!Array.isArray(detectors)) return [];
  const seen = new Set<unknown>([
    ...(monitors.drift === undefined ? [] : ['tabular-drift']),
    ...(monitors.outliers === undefined ? [] : ['mahalanobis']),
  ]);
  return (detectors as readonly (Partial<DetectorSettings> | null)[]).flatMap((detector, index) => {
    if (typeof detector !== 'object' || detector === null) return [];
    const at = `monitors.detectors.${index}`;
    const problems: string[] = [];
    if (seen.has(detector.name)) problems.push(`${at}.name '${String(detector.name)}' is used twice`);
    seen.add(detector.name);
    if (detector.method === undefined || !Object.hasOwn(detectorMethods, detector.method)) return problems;
    const said = { ...detector, method: detector.method };
    const found = [
      ...referenceProblems(said, monitors),
      ...windowProblems(said),
      ...optionProblems(said),
      ...kindProblems(said),
      ...contextProblems(said),
      ...fittedProblems(said),
    ];
    return [...problems, ...found.map((problem) => `${at}${problem}`)];
  });
}

type Said = Partial<DetectorSettings> & { readonly method: DetectorMethodName };

function referenceProblems(said: Said, monitors: Partial<MonitorSettings>): string[] {
  const { method, target, reference } = said;
  const fitted = isFitted(said);
  const { needsReference, runs } = methodOf(method);
  const wanted = { artifact: 'hash', first: 'rows', window: 'back' } as const;
  if (reference !== undefined) {
    const { kind } = reference;
    const field = wanted[kind];
    const given = reference as Readonly<Record<string, unknown>>;
    if (field !== undefined && given[field] === undefined) return [`.reference of kind ${kind} needs ${field}`];
    if (runs === 'row' && kind === 'window')
      return [`.reference must be an artifact or the first rows: '${method}' goes row by row and has no windows`];
    return [];
  }
  if (!needsReference || fitted) return [];
  if (target !== undefined && detectorTargets[target]?.stream === 'feedback')
    return [
      `.reference must be given: the training sample has no ${target}; {kind: first, rows: 500} takes the first ones`,
    ];
  return monitors.referenceHash === undefined && monitors.reference === undefined
    ? [' needs monitors.referenceHash or monitors.reference, or a reference of its own']
    : [];
}

function windowProblems({ window }: Said): string[] {
  if (window === undefined || typeof window !== 'object' || window === null) return [];
  if ('lengthMs' in window) {
    const { lengthMs, everyMs = lengthMs } = window;
    if (!(everyMs <= lengthMs) || lengthMs % everyMs !== 0)
      return [`.window.everyMs must divide lengthMs (${lengthMs}), got ${everyMs}`];
    if (lengthMs / everyMs > 1_000) return [`.window.everyMs must be at least a thousandth of lengthMs (${lengthMs})`];
    const foreign = ['everyRows', 'maxAgeMs'].filter((field) => field in window);
    return foreign.map((field) => `.window.${field} is of windows by count, this one is by time`);
  }
  const { rows, everyRows = rows, minRows = 1 } = window;
  if (rows === undefined) return ['.window needs rows (by count) or lengthMs (by time)'];
  if (everyRows > rows) return [`.window.everyRows must be at most rows (${rows}), got ${everyRows}`];
  if (minRows > rows) return [`.window.minRows must be at most rows (${rows}), got ${minRows}`];
  return ['everyMs', 'latenessMs']
    .filter((field) => field in window)
    .map((field) => `.window.${field} is of windows by time, this one is by count`);
}

function optionProblems({ method, options = {} }: Said): string[] {
  if (typeof options !== 'object' || options === null) return [];
  const known = methodOf(method).options;
  return Object.entries(options).flatMap(([name, value]) => {
    const option = known[name];
    if (option === undefined) {
      const list = Object.keys(known).join(', ');
      return [`.options.${name} is no option of '${method}'; ${list === '' ? 'it has none' : `it has ${list}`}`];
    }
    const { minimum, maximum, integer = false } = option;
    if (typeof value !== 'number' || !(value >= minimum && value <= maximum) || (integer && !Number.isInteger(value)))
      return [
        `.options.${name} must be ${integer ? 'an integer' : 'a number'} from ${minimum} to ${maximum}, got ${value}`,
      ];
    return [];
  });
}

const targetsOfOutliers: readonly DetectorTarget[] = ['inputs', 'outputs', 'scores'];

const isFitted = ({ fitted, fittedHash }: Said): boolean => fitted !== undefined || fittedHash !== undefined;

function fittedProblems(said: Said): string[] {
  const { method, reference, options, columns, falsePositiveRate } = said;
  const { finds, needsFitted = false } = methodOf(method);
  if (!isFitted(said)) return needsFitted ? [`.fitted must name a detector that was fitted before: '${method}'`] : [];
  if (finds !== 'outliers') return [`.fitted is of outlier detectors, '${method}' finds drift`];
  return Object.entries({ reference, options, columns, falsePositiveRate }).flatMap(([field, value]) =>
    value === undefined ? [] : [`.${field} was settled when the detector was fitted: leave it out`],
  );
}

function contextProblems({ method, target = 'inputs', columns = [], context }: Said): string[] {
  const { needsContext = false } = methodOf(method);
  if (!needsContext)
    return context === undefined ? [] : [`.context is of methods that compare given it, '${method}' does not`];
  if (!Array.isArray(context))
    return [`.context must name the inputs that may change: '${method}' compares given them`];
  if (detectorTargets[target]?.stream === 'feedback')
    return [`.target must be inputs, outputs or scores for '${method}': feedback has no context, got ${target}`];
  const twice = columns.filter((name) => target === 'inputs' && (context as readonly string[]).includes(name));
  return twice.map((name) => `.columns and .context both name '${name}'`);
}

function kindProblems(said: Said): string[] {
  const { method, target = 'inputs' } = said;
  const { finds, runs } = methodOf(method);
  if (finds === 'outliers' && !targetsOfOutliers.includes(target))
    return [`.target must be one of ${targetsOfOutliers.join(', ')} for '${method}', got ${target}`];
  const problems = [];
  const permutations = filledOptions(method, said.options)['permutations'] ?? 0;
  // Each column is a test of its own; where the columns are not named, the scorer sees how many there are.
  const tests = methodOf(method).over === 'features' ? (said.columns?.length ?? 1) : 1;
  const [alpha, smallest] = [said.alpha ?? 0.05, smallestPValue(permutations)];
  if (permutations > 0 && smallest > levelOf(alpha, said.correction ?? 'bonferroni', tests)) {
    const least = leastPermutations(alpha, said.correction ?? 'bonferroni', tests);
    problems.push(
      `.alpha must be at least ${smallest.toPrecision(2)}${tests === 1 ? '' : ` for each of ${tests} columns`}, the smallest p-value of ${permutations} permutations, got ${alpha}: raise options.permutations to ${least}`,
    );
  }
  if (finds === 'drift') {
    for (const field of ['falsePositiveRate', 'threshold'] as const)
      if (said[field] !== undefined) problems.push(`.${field} is of outlier detectors, '${method}' finds drift`);
  }
  if (runs !== 'row' && said.reportEvery !== undefined)
    problems.push(`.reportEvery is of detectors that go row by row, '${method}' goes by windows`);
  return problems;
}

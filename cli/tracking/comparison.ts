/** Runs beside each other: what differs between them, and how their metrics went. */
import type { MetricPoint, TrackedRun } from '../../sdk/client/index.ts';

export interface ComparedRow {
  readonly kind: 'metric' | 'parameter' | 'tag';
  readonly key: string;
  /** One for each run; null: it has none. */
  readonly values: readonly (number | string | null)[];
  readonly differs: boolean;
}

export interface ComparedCurves {
  readonly metric: string;
  /** One for each run. */
  readonly points: readonly (readonly MetricPoint[])[];
}

export interface Comparison {
  readonly runs: readonly TrackedRun[];
  readonly rows: readonly ComparedRow[];
  readonly curves: readonly ComparedCurves[];
}

/** Tags of the platform and of MLflow say where a run came from, and differ always. */
const ownTag = /^(?:mlflow|millrace)\./;

export function compareRuns(runs: readonly TrackedRun[]): readonly ComparedRow[] {
  const rows = <V extends number | string>(
    kind: ComparedRow['kind'],
    of: (run: TrackedRun) => Readonly<Record<string, V>>,
  ): readonly ComparedRow[] => {
    const keys = [...new Set(runs.flatMap((run) => Object.keys(of(run))))].sort();
    return keys.map((key) => {
      const values = runs.map((run) => of(run)[key] ?? null);
      return { kind, key, values, differs: values.some((value) => !Object.is(value, values[0])) };
    });
  };
  return [
    ...rows('metric', ({ metrics }) => metrics),
    ...rows('parameter', ({ params }) => params),
    ...rows('tag', ({ tags }) => tags).filter(({ key }) => !ownTag.test(key)),
  ];
}

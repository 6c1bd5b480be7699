/** Bounds of quality: where a metric of a deployment must lie, and when it is an alert that it does not. */
import { type TSchema, Type } from 'typebox';
import type { QualityBound } from './events.generated.ts';

/** Names as `quality-assessed` says them; the last two are of rewards that feedback brings or a function makes. */
export const boundedMetrics = [
  ...['accuracy', 'f1', 'log_loss', 'brier', 'auc', 'calibration_error'],
  ...['rmse', 'mae', 'mean_error', 'r2'],
  ...['reward_mean', 'reward_median'],
] as const;

export interface QualityAlertSettings {
  /** `[a-z0-9][a-z0-9-]{0,62}`, unique in the deployment; the alert names it. */
  readonly name: string;
  readonly metric: string;
  /** Below it, or above `most`, the window is beyond its bound; one of both, or both. */
  readonly least?: number;
  readonly most?: number;
  /** @default all routes together */
  readonly route?: string;
  /** `feature=value` of one of `quality.segments`. @default all rows */
  readonly segment?: string;
  /** Only when the whole 95 % interval of the metric lies beyond, where it has one. @default false */
  readonly surely?: boolean;
  /** A window with fewer rows says nothing. @default 20 */
  readonly minRows?: number;
  /** Windows in a row before the alert, and before it ends. @default 1 and 1 */
  readonly raiseAfter?: number;
  readonly clearAfter?: number;
}

const count = Type.Integer({ minimum: 1, maximum: 1_000_000 });

export const qualityAlertSchema: TSchema = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$' }),
    metric: Type.Enum([...boundedMetrics]),
    least: Type.Optional(Type.Number()),
    most: Type.Optional(Type.Number()),
    route: Type.Optional(Type.String({ minLength: 1, maxLength: 63 })),
    segment: Type.Optional(Type.String({ pattern: '^[^=]+=.*$', maxLength: 256 })),
    surely: Type.Optional(Type.Boolean()),
    minRows: Type.Optional(count),
    raiseAfter: Type.Optional(count),
    clearAfter: Type.Optional(count),
  },
  { additionalProperties: false, description: 'an alert when a quality metric or the rewards lie beyond a bound' },
);

/** What the schema cannot say. `rows`: of the windows of quality. */
export function qualityAlertProblems(
  alerts: unknown,
  known: { readonly routes: readonly unknown[]; readonly segments: readonly unknown[]; readonly rows: number },
): readonly string[] {
  if (!Array.isArray(alerts)) return [];
  const seen = new Set<unknown>();
  return (alerts as readonly (Partial<QualityAlertSettings> | null)[]).flatMap((alert, index) => {
    if (typeof alert !== 'object' || alert === null) return [];
    const { name, least, most, route, segment, minRows } = alert;
    const problems: string[] = [];
    if (seen.has(name)) problems.push(`.name '${String(name)}' is used twice`);
    seen.add(name);
    if (least === undefined && most === undefined) problems.push(' needs least or most: where the metric must lie');
    if (least !== undefined && most !== undefined && !(least < most))
      problems.push(`.least must be below most (${most}), got ${least}`);
    if (route !== undefined && !known.routes.includes(route))
      problems.push(`.route '${route}' is no route; there are ${known.routes.map(String).join(', ')}`);
    const feature = segment?.split('=')[0];
    if (feature !== undefined && !known.segments.includes(feature))
      problems.push(`.segment: '${feature}' must be one of monitors.quality.segments`);
    if (known.rows === 0) problems.push(' needs windows of quality: monitors.quality.rows is 0');
    else if ((minRows ?? 1) > known.rows)
      problems.push(`.minRows must be at most the rows of a window (${known.rows}), got ${minRows}`);
    return problems.map((problem) => `monitors.alerts.${index}${problem}`);
  });
}

/** With nothing left open. `rows`: of the windows of quality. */
export function qualityBounds(alerts: readonly QualityAlertSettings[], rows: number): QualityBound[] {
  return alerts.map((alert) => ({
    name: alert.name,
    metric: alert.metric,
    least: alert.least ?? null,
    most: alert.most ?? null,
    route: alert.route ?? '',
    segment: alert.segment ?? '',
    surely: alert.surely ?? false,
    minRows: alert.minRows ?? Math.min(rows, 20),
    raiseAfter: alert.raiseAfter ?? 1,
    clearAfter: alert.clearAfter ?? 1,
  }));
}

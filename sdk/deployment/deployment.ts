/**
 * Deployments written in TypeScript.
 *
 * @example
 * export default deployment('diamonds')
 *   .route('linear', 'models:/diamonds/1', { weight: 50 })
 *   .route('forest', 'models:/diamonds@challenger', { weight: 50 })
 *   .features([{ name: 'carat', kind: 'numeric' }])
 *   .feedback({ windowMs: 60_000 })
 *   .monitors({ window: { rows: 200 }, referenceHash, drift: { alpha: 0.01 } });
 */
import type { FeatureSpec, FeedbackSettings, MonitorSettings } from '../../schemas/deployment-document.ts';
import { meaningProblems, shapeProblems } from '../../schemas/deployment-problems.ts';
import {
  type DeploymentSpec,
  defaultFeedback,
  defaultMonitors,
  defaultWeight,
  deploymentSpecSchema,
  type ModelReference,
} from './deployment-spec.ts';

/** Begins a deployment: HTTP clients call it `name`, requests on a topic name it in the header `millrace-deployment`. */
export function deployment(name: string): Deployment {
  return new Deployment({ name, routes: [], features: [], feedback: defaultFeedback, monitors: defaultMonitors });
}

export interface RouteOptions {
  /** Share of the traffic = weight / sum of all weights; 0 keeps a route ready without traffic. @default 1 */
  readonly weight?: number;
}

/** Settings of monitors; a part that is absent is off, and a part that is given has defaults for what it leaves out. */
export interface MonitorOptions {
  /** @default 500 rows, at least 100, at most 60 s old */
  readonly window?: Partial<MonitorSettings['window']>;
  /** Blob with the reference sample; needed by drift and outliers. */
  readonly referenceHash?: string;
  /** @default alpha 0.05, bonferroni, effect size 0.1, raised after 2 windows, cleared after 2 */
  readonly drift?: Partial<NonNullable<MonitorSettings['drift']>>;
  /** @default false positive rate 0.01 */
  readonly outliers?: Partial<NonNullable<MonitorSettings['outliers']>>;
  /** @default every 200 rewards, alpha 0.05 */
  readonly experiment?: Partial<NonNullable<MonitorSettings['experiment']>>;
}

/** Immutable: each call gives a new deployment. `Routes` are the names of its routes so far; using one twice does not compile. */
export class Deployment<Routes extends string = never> {
  readonly #spec: DeploymentSpec;

  constructor(spec: DeploymentSpec) {
    this.#spec = spec;
  }

  /** Adds a route of the traffic split. */
  route<Name extends string>(
    name: Name extends Routes ? never : Name,
    model: ModelReference,
    options: RouteOptions = {},
  ): Deployment<Routes | Name> {
    const added = { name, model, weight: options.weight ?? defaultWeight };
    return new Deployment({ ...this.#spec, routes: [...this.#spec.routes, added] });
  }

  /** What the input columns mean, in order. A text is a numeric feature. */
  features(features: readonly (FeatureSpec | string)[]): Deployment<Routes> {
    const list = features.map((feature) =>
      typeof feature === 'string' ? ({ name: feature, kind: 'numeric' } as const) : feature,
    );
    return new Deployment({ ...this.#spec, features: list });
  }

  /** Tensor of the answer that feedback is compared with. */
  output(output: string): Deployment<Routes> {
    return new Deployment({ ...this.#spec, output });
  }

  feedback(settings: Partial<FeedbackSettings>): Deployment<Routes> {
    return new Deployment({ ...this.#spec, feedback: { ...defaultFeedback, ...settings } });
  }

  monitors(options: MonitorOptions): Deployment<Routes> {
    return new Deployment({ ...this.#spec, monitors: filledMonitors(options) });
  }

  /** The plain form. Throws a TypeError that lists everything that is wrong. */
  spec(): DeploymentSpec {
    return checkedSpec(this.#spec);
  }

  /** `JSON.stringify` of a deployment is its spec. */
  toJSON(): DeploymentSpec {
    return this.spec();
  }
}

/** The spec itself, or a TypeError that lists everything that is wrong. */
export function checkedSpec(spec: unknown): DeploymentSpec {
  const problems = [...shapeProblems(deploymentSpecSchema, spec), ...meaningProblems(spec)];
  if (problems.length === 0) return spec as DeploymentSpec;
  const name = (spec as Partial<DeploymentSpec> | null)?.name;
  throw new TypeError(`deployment '${String(name)}' is not valid:\n  ${problems.join('\n  ')}`);
}

export function filledMonitors(options: MonitorOptions): MonitorSettings {
  const { window, referenceHash, drift, outliers, experiment } = options;
  return {
    window: { ...defaultMonitors.window, ...window },
    ...(referenceHash === undefined ? {} : { referenceHash }),
    ...(drift === undefined ? {} : { drift: { ...defaultDrift, ...drift } }),
    ...(outliers === undefined ? {} : { outliers: { falsePositiveRate: 0.01, ...outliers } }),
    ...(experiment === undefined ? {} : { experiment: { assessEvery: 200, alpha: 0.05, ...experiment } }),
  };
}

const defaultDrift = {
  alpha: 0.05,
  correction: 'bonferroni',
  minEffectSize: 0.1,
  raiseAfter: 2,
  clearAfter: 2,
} as const;

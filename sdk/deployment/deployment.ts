/**
 * Deployments written in TypeScript.
 *
 * @example
 * export default deployment('diamonds')
 *   .route('linear', 'models:/diamonds/1', { weight: 50 })
 *   .route('forest', 'models:/diamonds@challenger', { weight: 50 })
 *   .route('both', pipeline({ linear: 'models:/diamonds/1', forest: 'models:/diamonds/2' }, async (row, models) => {
 *     const answer = await models.linear(row);
 *     return answer.price < 1_000 ? answer : models.forest(row);
 *   }), { weight: 0 })
 *   .features([{ name: 'carat', kind: 'numeric' }])
 *   .feedback({ windowMs: 60_000 })
 *   .monitors({
 *     window: { rows: 200 },
 *     referenceHash,
 *     drift: { alpha: 0.01 },
 *     detectors: [
 *       { name: 'joint', method: 'mmd', window: { lengthMs: 3_600_000, everyMs: 600_000 } },
 *       { name: 'wrong', method: 'online-fisher', target: 'errors', reference: { kind: 'first', rows: 500 } },
 *     ],
 *   });
 */
import {
  defaultQuality,
  type FeatureSpec,
  type FeedbackSettings,
  type MonitorSettings,
  type RewardCase,
} from '../../schemas/deployment-document.ts';
import { problemsOf } from '../../schemas/deployment-problems.ts';
import type { DetectorSettings } from '../../schemas/detectors.ts';
import type { QualityAlertSettings } from '../../schemas/quality-bounds.ts';
import type { CacheSettings, LimitSettings, PayloadSettings } from '../../schemas/serving-settings.ts';
import type { AskedMethod, ExplainerSettings } from '../../schemas/explainers.ts';
import { defaultShadow, type ShadowSettings, type TrafficSettings } from '../../schemas/traffic.ts';
import {
  type DeploymentSpec,
  defaultFeedback,
  defaultMonitors,
  defaultRewardFunction,
  defaultWeight,
  type ModelReference,
  type RouteSpec,
  specForms,
} from './deployment-spec.ts';
import type { Graph, GraphFunction } from './graph.ts';
import { type BanditOptions, filledTraffic, type RolloutOptions } from './traffic-options.ts';

/** Begins a deployment: HTTP clients call it `name`, requests on a topic name it in the header `millrace-deployment`. */
export function deployment(name: string): Deployment {
  return new Deployment({ name, routes: [], features: [], feedback: defaultFeedback, monitors: defaultMonitors });
}

export interface RouteOptions {
  /** Share of the traffic = weight / sum of all weights; 0 keeps a route ready without traffic. @default 1 */
  readonly weight?: number;
}

export interface FeedbackOptions extends Partial<Omit<FeedbackSettings, 'rewardFunction'>> {
  /**
   * Makes the reward in the place of the rule: a finite number, larger is better. It runs beside the platform, not in the path of
   * requests, in a thread with limits on time and memory; a call that throws or takes too long is said as `reward-failed`.
   */
  readonly rewardFunction?: (given: RewardCase) => number | Promise<number>;
  /** Longest time of one call. @default 100 */
  readonly rewardTimeoutMs?: number;
  /** Heap of its thread. @default 64 */
  readonly rewardMemoryMb?: number;
}

/** @default all requests, answers within 5000 ms */
export type ShadowOptions = Partial<ShadowSettings>;

/** Settings of monitors; a part that is absent is off, and a part that is given has defaults for what it leaves out. */
export interface MonitorOptions {
  /** @default 500 rows, at least 100, at most 60 s old */
  readonly window?: Partial<MonitorSettings['window']>;
  /** Blob with the reference sample; drift and outliers need it, or `reference`. */
  readonly referenceHash?: string;
  /** The sample that was registered with a model version: `models:/<model>@<alias>#<name>`. Followed like the model. */
  readonly reference?: string;
  /** @default alpha 0.05, bonferroni, effect size 0.1, raised after 2 windows, cleared after 2 */
  readonly drift?: Partial<NonNullable<MonitorSettings['drift']>>;
  /** @default false positive rate 0.01 */
  readonly outliers?: Partial<NonNullable<MonitorSettings['outliers']>>;
  /** @default every 200 rewards, alpha 0.05 */
  readonly experiment?: Partial<NonNullable<MonitorSettings['experiment']>>;
  /** @default windows of 200 rows, at most an hour old */
  readonly quality?: Partial<NonNullable<MonitorSettings['quality']>>;
  /** Alerts when quality or rewards lie beyond a bound; the page docs/monitoring.md says which metrics. */
  readonly alerts?: readonly QualityAlertSettings[];
  /** Statistics of each feature and output over time. @default windows of a minute; 0: none */
  readonly statistics?: MonitorSettings['statistics'];
  /** Further detectors; the page docs/monitoring.md lists the methods and their options. */
  readonly detectors?: readonly DetectorSettings[];
}

/** No node of a graph is called so. */
const rewardFunctionName = '(reward)';

/** Immutable: each call gives a new deployment. `Routes` are the names of its routes so far; using one twice does not compile. */
export class Deployment<Routes extends string = never> {
  /** By this shape, and the number of its version, a model server knows the default export of a bundle. */
  readonly millraceDeployment = 1;
  readonly #spec: DeploymentSpec;
  readonly #functions: ReadonlyMap<string, GraphFunction>;

  constructor(spec: DeploymentSpec, functions: ReadonlyMap<string, GraphFunction> = new Map()) {
    this.#spec = spec;
    this.#functions = functions;
  }

  /** Adds a route of the traffic split: a model, or a graph of models and code. */
  route<Name extends string>(
    name: Name extends Routes ? never : Name,
    target: ModelReference | Graph<string>,
    options: RouteOptions = {},
  ): Deployment<Routes | Name> {
    const { weight = defaultWeight } = options;
    return this.#withRoute(name, target, { weight });
  }

  /** Adds a route that gets copies of requests; its answers are recorded and compared with those that were given, and given to nobody. */
  shadow<Name extends string>(
    name: Name extends Routes ? never : Name,
    target: ModelReference | Graph<string>,
    options: ShadowOptions = {},
  ): Deployment<Routes> {
    return this.#withRoute(name, target, { weight: 0, shadow: { ...defaultShadow, ...options } });
  }

  /** Follows the aliases by which its models are named: when one moves, a new version is applied by itself. */
  follow(): Deployment<Routes> {
    return this.#with({ follow: true });
  }

  /** What is hashed against the weights; `entity` keeps an entity on its route. @default 'prediction-id' */
  splitBy(by: TrafficSettings['by']): Deployment<Routes> {
    return this.#traffic({ by });
  }

  /** Lets the weights follow rewards. Put `feedback` before it: rewards of the rule `equal` are 0 or 1, which it then knows. */
  bandit(options: BanditOptions = {}): Deployment<Routes> {
    return this.#traffic({ bandit: options });
  }

  /** Moves the traffic from one route to another in steps. */
  rollout(options: RolloutOptions<Routes>): Deployment<Routes> {
    return this.#traffic({ rollout: options });
  }

  #traffic(part: object): Deployment<Routes> {
    const traffic = filledTraffic({ ...this.#spec.traffic, ...part }, this.#spec.feedback.reward);
    return this.#with({ traffic: traffic as TrafficSettings });
  }

  #withRoute<Name extends string>(
    name: string,
    target: ModelReference | Graph<string>,
    share: Pick<RouteSpec, 'weight' | 'shadow'>,
  ): Deployment<Routes | Name> {
    const functions = new Map(this.#functions);
    let added: RouteSpec;
    if (typeof target === 'string') added = { name, model: target, ...share };
    else {
      added = { name, graph: target.spec(`${name}/`), ...share };
      for (const [at, code] of target.functions) functions.set(`${name}/${at}`, code);
    }
    return new Deployment({ ...this.#spec, routes: [...this.#spec.routes, added] }, functions);
  }

  /** Code of its graphs by `<route>/<node>`. */
  get functions(): ReadonlyMap<string, GraphFunction> {
    return this.#functions;
  }

  /** What the input columns mean, in order. A text is a numeric feature. */
  features(features: readonly (FeatureSpec | string)[]): Deployment<Routes> {
    const list = features.map((feature) =>
      typeof feature === 'string' ? ({ name: feature, kind: 'numeric' } as const) : feature,
    );
    return this.#with({ features: list });
  }

  /** Tensor of the answer that feedback is compared with. */
  output(output: string): Deployment<Routes> {
    return this.#with({ output });
  }

  feedback(options: FeedbackOptions): Deployment<Routes> {
    const { rewardFunction, rewardTimeoutMs, rewardMemoryMb, ...settings } = options;
    const feedback = { ...defaultFeedback, ...settings };
    if (rewardFunction === undefined) return this.#with({ feedback });
    const { timeoutMs, memoryMb } = defaultRewardFunction;
    const limits = { timeoutMs: rewardTimeoutMs ?? timeoutMs, memoryMb: rewardMemoryMb ?? memoryMb };
    const functions = new Map(this.#functions).set(rewardFunctionName, rewardFunction as GraphFunction);
    const named = { ...feedback, rewardFunction: { code: { function: rewardFunctionName }, ...limits } };
    return new Deployment({ ...this.#spec, feedback: named }, functions);
  }

  monitors(options: MonitorOptions): Deployment<Routes> {
    return this.#with({ monitors: filledMonitors(options) });
  }

  /**
   * Explains a share of the predictions by themselves; any other is explained when somebody asks. Needs a reference sample
   * (`monitors({ referenceHash })`).
   */
  explain(method: AskedMethod, options: Omit<ExplainerSettings, 'method'>): Deployment<Routes> {
    return this.#with({ explainers: [...(this.#spec.explainers ?? []), { method, ...options }] });
  }

  /** Gives equal inputs the answer that they got before; each prediction is recorded all the same. @default 10000 answers, for an hour */
  cache(options: Partial<CacheSettings> = {}): Deployment<Routes> {
    return this.#with({ cache: { entries: 10_000, ttlMs: 3_600_000, ...options } });
  }

  /** Leaves inputs, or a share of them, out of what is recorded. */
  payloads(payloads: PayloadSettings): Deployment<Routes> {
    return this.#with({ payloads });
  }

  /** How many requests run at once, wait, and begin in a second, in each process that serves it; and for how long one may take. */
  limits(limits: LimitSettings): Deployment<Routes> {
    return this.#with({ limits });
  }

  /** The plain form. Throws a TypeError that lists everything that is wrong. */
  spec(): DeploymentSpec {
    return checkedSpec(this.#spec);
  }

  /** `JSON.stringify` of a deployment is its spec. */
  toJSON(): DeploymentSpec {
    return this.spec();
  }

  #with(part: Partial<DeploymentSpec>): Deployment<Routes> {
    return new Deployment({ ...this.#spec, ...part }, this.#functions);
  }
}

/** The spec itself, or a TypeError that lists everything that is wrong. */
export function checkedSpec(spec: unknown): DeploymentSpec {
  const problems = problemsOf(spec, specForms);
  if (problems.length === 0) return spec as DeploymentSpec;
  const name = (spec as Partial<DeploymentSpec> | null)?.name;
  throw new TypeError(`deployment '${String(name)}' is not valid:\n  ${problems.join('\n  ')}`);
}

export function filledMonitors(options: MonitorOptions): MonitorSettings {
  const { window, referenceHash, reference, drift, outliers, experiment, quality, statistics, detectors, alerts } =
    options;
  return {
    window: filledWindow(window),
    ...(referenceHash === undefined ? {} : { referenceHash }),
    ...(reference === undefined ? {} : { reference }),
    ...(drift === undefined ? {} : { drift: { ...defaultDrift, ...drift } }),
    ...(outliers === undefined ? {} : { outliers: { falsePositiveRate: 0.01, ...outliers } }),
    ...(experiment === undefined ? {} : { experiment: { assessEvery: 200, alpha: 0.05, ...experiment } }),
    ...(quality === undefined ? {} : { quality: { ...defaultQuality, ...quality } }),
    ...(alerts === undefined ? {} : { alerts }),
    ...(statistics === undefined ? {} : { statistics }),
    ...(detectors === undefined ? {} : { detectors }),
  };
}

/** A window of few rows has a verdict with all of them. */
function filledWindow(window: MonitorOptions['window'] = {}): MonitorSettings['window'] {
  const { rows, minRows, maxAgeMs } = defaultMonitors.window;
  const least =
    Number.isInteger(window.rows) && Number(window.rows) > 0 ? Math.min(minRows, Number(window.rows)) : minRows;
  return { rows, minRows: least, maxAgeMs, ...window };
}

const defaultDrift = {
  alpha: 0.05,
  correction: 'bonferroni',
  minEffectSize: 0.1,
  raiseAfter: 2,
  clearAfter: 2,
} as const;

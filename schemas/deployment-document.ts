import {
  type CodePin,
  type CodeUse,
  codeOfGraph,
  type InferenceGraph,
  mapGraph,
  type ModelPin,
  modelsOfGraph,
} from './inference-graph.ts';
import type { DetectorSettings } from './detectors.ts';
import type { ExplainerSettings } from './explainers.ts';
import type { QualityAlertSettings } from './quality-bounds.ts';
import type { CacheSettings, LimitSettings, PayloadSettings } from './serving-settings.ts';
import type { ShadowSettings, TrafficSettings } from './traffic.ts';

/**
 * A deployment as it travels in events: every model is named by hash, so what was in production can be run again. Users write
 * `sdk/deployment`, where a model may also be named by version or alias; the gateway resolves that before it asks to deploy.
 */
export interface DeploymentDocument {
  /** `[a-z0-9][a-z0-9-]{0,62}`. */
  readonly name: string;
  readonly routes: readonly DeploymentRoute[];
  /** What the inputs mean, in the order of the feature columns; used by monitors and by `explain`. */
  readonly features: readonly FeatureSpec[];
  /** Tensor of the answer that feedback is compared with. @default the first output */
  readonly output?: string;
  readonly feedback: FeedbackSettings;
  readonly monitors: MonitorSettings;
  /** When an alias that names a model moves, a new version is applied by itself. @default false */
  readonly follow?: boolean;
  /** @default by prediction id, with the weights of the routes */
  readonly traffic?: TrafficSettings;
  /** Predictions that are explained by themselves. @default only those that somebody asks about */
  readonly explainers?: readonly ExplainerSettings[];
  /** Equal inputs get the answer that they got before. @default never */
  readonly cache?: CacheSettings;
  /** What of requests is recorded. @default all of it */
  readonly payloads?: PayloadSettings;
  /** How much it takes. @default as much as the process does */
  readonly limits?: LimitSettings;
}

/** One arm of the traffic split: a model, or a graph. */
export type DeploymentRoute = ModelRoute | GraphRoute;

interface RouteBase {
  readonly name: string;
  /** Share of the traffic: weight / sum of weights; at least 0. */
  readonly weight: number;
  /** The route only gets copies of requests, and its answers are given to nobody. */
  readonly shadow?: ShadowSettings;
}

export interface ModelRoute extends RouteBase, ModelPin {
  readonly graph?: undefined;
}

export interface GraphRoute extends RouteBase {
  readonly graph: InferenceGraph;
}

/** Every model of a route with its place in the route's graph; '' for a route that is a model. */
export function modelsOfRoute(route: DeploymentRoute): readonly { readonly at: string; readonly model: ModelPin }[] {
  if (route.graph !== undefined) return modelsOfGraph(route.graph);
  return [{ at: '', model: pinOf(route) }];
}

function pinOf({ model, modelVersion, artifactHash, alias }: ModelPin): ModelPin {
  return { model, modelVersion, artifactHash, ...(alias === undefined ? {} : { alias }) };
}

/** The document with other models; the same object when `change` gives every pin back as it was. */
export function mapModels(document: DeploymentDocument, change: (pin: ModelPin) => ModelPin): DeploymentDocument {
  let changed = false;
  const of = (pin: ModelPin): ModelPin => {
    const next = change(pin);
    changed ||= next !== pin;
    return next;
  };
  const routes = document.routes.map((route): DeploymentRoute => {
    if (route.graph !== undefined)
      return { ...route, graph: mapGraph(route.graph, { model: of, code: (code) => code }) };
    return { ...route, ...of(route) };
  });
  return changed ? { ...document, routes } : document;
}

/** Every node of a route that runs code. */
export function codeOfRoute(route: DeploymentRoute): readonly CodeUse<CodePin>[] {
  return route.graph === undefined ? [] : codeOfGraph(route.graph);
}

export interface FeatureSpec {
  readonly name: string;
  readonly kind: 'numeric' | 'categorical';
  /** For categorical features: label of code 0, 1, … */
  readonly categories?: readonly string[];
}

export interface FeedbackSettings<C = CodePin> {
  /** How long a prediction waits for feedback, and feedback for its prediction. */
  readonly windowMs: number;
  /** How truth and prediction become a reward, when the feedback brings none. */
  readonly reward: 'negative-squared-error' | 'negative-absolute-error' | 'equal';
  /** Makes the reward in the place of the rule, when the feedback brings none. */
  readonly rewardFunction?: RewardFunction<C>;
}

/** A function of {@link RewardCase} in the code of the deployment. */
export interface RewardFunction<C = CodePin> {
  readonly code: C;
  /** Longest time of one call. */
  readonly timeoutMs: number;
  /** Heap of the thread that it runs in. */
  readonly memoryMb: number;
}

/** What a reward function is given: one row of a prediction, and what is known of its truth. */
export interface RewardCase {
  /** The number that was predicted; null when it was a class. */
  readonly prediction: number | null;
  readonly truth: number | null;
  /** The class that was predicted. */
  readonly answer: string | null;
  readonly label: string | null;
  /** From 0; null: the prediction has one row. */
  readonly row: number | null;
  readonly route: string;
  readonly model: string;
  readonly modelVersion: number;
}

export interface MonitorSettings {
  /** Rows a window holds; it also closes when its first row is `maxAgeMs` old and it has at least `minRows`. */
  readonly window: { readonly rows: number; readonly minRows: number; readonly maxAgeMs: number };
  /** Blob with the reference sample ({@link ReferenceSample} as JSON); absent: no drift and outlier detection. */
  readonly referenceHash?: string;
  /** The sample that belongs to a model version, `models:/<model>@<alias>#<name>`: `referenceHash` is made of it, and follows the alias. */
  readonly reference?: string;
  readonly drift?: {
    readonly alpha: number;
    readonly correction: 'bonferroni' | 'benjamini-hochberg';
    /** A feature counts as drifted only if its effect size reaches this too. */
    readonly minEffectSize: number;
    /** Drifted windows in a row before the alarm, and clean ones before it ends. */
    readonly raiseAfter: number;
    readonly clearAfter: number;
  };
  readonly outliers?: { readonly falsePositiveRate: number };
  readonly experiment?: { readonly assessEvery: number; readonly alpha: number };
  /** Quality metrics from feedback. @default {@link defaultQuality} */
  readonly quality?: QualitySettings;
  /** Alerts when quality or rewards lie beyond a bound. */
  readonly alerts?: readonly QualityAlertSettings[];
  /** Statistics of each feature and output over time. @default {@link defaultStatistics} */
  readonly statistics?: StatisticsSettings;
  /** Further detectors, each with what it looks at, its method, window and reference. */
  readonly detectors?: readonly DetectorSettings[];
}

export interface QualitySettings {
  /** Rows of a window; 0: no metrics are made. */
  readonly rows: number;
  /** A window that has begun ends after so long, with the rows that it has. */
  readonly maxAgeMs: number;
  /** Categorical features by whose values quality is shown apart. */
  readonly segments: readonly string[];
  /** Tensor of the answer with the probabilities of the classes, or of class 1. @default 'probabilities' */
  readonly probabilities?: string;
}

export interface StatisticsSettings {
  /** Length of a window; 0: none are made. */
  readonly everyMs: number;
  /** A window waits so long for its rows; later ones are counted, and in none. @default 10000 */
  readonly latenessMs?: number;
}

export const statisticsLatenessMs = 10_000;

export const defaultStatistics: StatisticsSettings = { everyMs: 60_000 };

export const defaultQuality: QualitySettings = { rows: 200, maxAgeMs: 3_600_000, segments: [] };

/** Rows of the training data, as columns; the order of `columns` is that of the features. */
export interface ReferenceSample {
  readonly columns: readonly { readonly name: string; readonly values: readonly number[] }[];
  /** Outputs of the same rows, for detectors that look at them; absent: they stand among the columns. */
  readonly outputs?: readonly { readonly name: string; readonly values: readonly number[] }[];
}

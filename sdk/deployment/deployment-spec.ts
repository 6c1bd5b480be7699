/**
 * A deployment as a person writes it: like the document on the log, but a model may be named by version or alias, and settings may
 * be left to their defaults.
 */
import { Type } from 'typebox';
import type {
  DeploymentDocument,
  FeatureSpec,
  FeedbackSettings,
  MonitorSettings,
} from '../../schemas/deployment-document.ts';
import { isLatest, modelReference } from '../../schemas/codec/model-names.ts';
import type { ExplainerSettings } from '../../schemas/explainers.ts';
import type { NamingForms } from '../../schemas/deployment-problems.ts';
import { type InferenceGraph, mapGraph, type ModelPin } from '../../schemas/inference-graph.ts';
import type { CacheSettings, LimitSettings, PayloadSettings } from '../../schemas/serving-settings.ts';
import type { ShadowSettings, TrafficSettings } from '../../schemas/traffic.ts';

export interface DeploymentSpec {
  /** `[a-z0-9][a-z0-9-]{0,62}`. */
  readonly name: string;
  readonly routes: readonly RouteSpec[];
  readonly features: readonly FeatureSpec[];
  /** Tensor of the answer that feedback is compared with. @default the first output */
  readonly output?: string;
  readonly feedback: FeedbackSettings<CodeSpec>;
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

/** A model, or a graph of them. */
export type RouteSpec = ModelRouteSpec | GraphRouteSpec;

interface RouteSpecBase {
  readonly name: string;
  /** Share of the traffic: weight / sum of weights. */
  readonly weight: number;
  /** The route only gets copies of requests. */
  readonly shadow?: ShadowSettings;
}

export interface ModelRouteSpec extends RouteSpecBase {
  readonly model: ModelReference;
  readonly graph?: undefined;
}

export interface GraphRouteSpec extends RouteSpecBase {
  readonly graph: GraphSpec;
}

/** A graph as a person writes it. */
export type GraphSpec = InferenceGraph<ModelReference, CodeSpec>;

/** Code as a person writes it: a function of a file (from where the deployment lies), or of a bundle that was uploaded. */
export interface CodeSpec {
  readonly function: string;
  readonly file?: string;
  /** Of the bundle; filled in when the deployment's code is uploaded. */
  readonly hash?: string;
}

/** `models:/<model>/<version>`, `models:/<model>@<alias>`, or `models:/<model>/latest`. */
export type ModelReference = `models:/${string}`;

export const defaultRewardFunction = { timeoutMs: 100, memoryMb: 64 } as const;

export const defaultFeedback: FeedbackSettings<CodeSpec> = { windowMs: 3_600_000, reward: 'negative-squared-error' };

export const defaultMonitors: MonitorSettings = { window: { rows: 500, minRows: 100, maxAgeMs: 60_000 } };

export const defaultWeight = 1;

export interface ParsedReference {
  readonly model: string;
  readonly version?: number;
  readonly alias?: string;
}

const referencePattern = `^${modelReference}$`;
const reference = new RegExp(referencePattern, 'u');
const modelReferenceSchema = Type.Unsafe<string>({ type: 'string', pattern: referencePattern });

/** Both absent: the newest version. undefined: the text is no reference. */
export function parseModelReference(text: string): ParsedReference | undefined {
  const match = reference.exec(text);
  const model = match?.[1];
  if (model === undefined) return undefined;
  const version = match?.[2];
  const alias = match?.[3];
  if (alias !== undefined) return isLatest(alias) ? { model } : { model, alias };
  return version === undefined || version === 'latest' ? { model } : { model, version: Number(version) };
}

/** How a person names models and code. */
export const specForms: NamingForms = {
  route: { model: modelReferenceSchema },
  model: modelReferenceSchema,
  code: Type.Object(
    {
      function: Type.String({ minLength: 1, maxLength: 256 }),
      file: Type.Optional(Type.String({ minLength: 1, maxLength: 1_024 })),
      hash: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$' })),
    },
    { additionalProperties: false },
  ),
};

/** Any document is also readable as a spec, with its versions named. */
export function specOf(document: DeploymentDocument): DeploymentSpec {
  const referenceOf = ({ model, modelVersion }: ModelPin): ModelReference => `models:/${model}/${modelVersion}`;
  return {
    ...document,
    routes: document.routes.map((route): RouteSpec => {
      const { name, weight, shadow } = route;
      const share = { weight, ...(shadow === undefined ? {} : { shadow }) };
      if (route.graph === undefined) return { name, model: referenceOf(route), ...share };
      return { name, ...share, graph: mapGraph(route.graph, { model: referenceOf, code: (code): CodeSpec => code }) };
    }),
  };
}

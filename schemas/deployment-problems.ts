/**
 * What is wrong with a deployment, all of it at once, with paths. The same schema is published for people who write deployments as
 * YAML; `sdk/deployment` replaces the schema of a route, because there a model may also be named by version or alias.
 */
import { type TSchema, Type } from 'typebox';
import { attachedPattern } from './attached.ts';
import { breaches } from './breaches.ts';
import { type DeploymentDocument, defaultQuality } from './deployment-document.ts';
import { detectorProblems, detectorSchema } from './detector-problems.ts';
import { explainerSchema } from './explainers.ts';
import { graphProblems } from './inference-graph-problems.ts';
import { qualityAlertProblems, qualityAlertSchema } from './quality-bounds.ts';
import { cacheSchema, limitSchema, payloadSchema } from './serving-settings.ts';
import type { SharedRoute, TrafficSettings } from './traffic.ts';
import { shadowSchema, trafficProblems, trafficSchema } from './traffic-problems.ts';

/** How a deployment names models and code: by hash on the log, by reference and file where a person writes it. */
export interface NamingForms {
  /** Fields of a route that is a model. */
  readonly route: Readonly<Record<string, TSchema>>;
  /** A model within a graph. */
  readonly model: TSchema;
  readonly code: TSchema;
}

/** Problems of a deployment whose models are named by hash; empty when it may be deployed. */
export function deploymentProblems(document: unknown): readonly string[] {
  return problemsOf(document, pinned);
}

/** Everything that is wrong, each with its place. */
export function problemsOf(value: unknown, forms: NamingForms): readonly string[] {
  return [
    ...shapeProblems(deploymentSchema, value),
    ...routeProblems(value, forms),
    ...rewardCodeProblems(value, forms),
    ...meaningProblems(value),
  ];
}

const closed = { additionalProperties: false };
const hash = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'sha256 of a blob, hex' });
const probability = Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1 });
const count = Type.Integer({ minimum: 1, maximum: 1_000_000 });
const durationMs = Type.Integer({ minimum: 1, maximum: 366 * 86_400_000 });

/** Name of a deployment or route. `constructor` is what every object has: a record by route would find it. */
export const nameSchema = Type.String({ pattern: '^(?!constructor$)[a-z0-9][a-z0-9-]{0,62}$' });
export const weightSchema = Type.Number({ minimum: 0, maximum: 1e9, description: 'share = weight / sum of weights' });

const pin = {
  model: Type.String({ minLength: 1, maxLength: 128 }),
  modelVersion: Type.Integer({ minimum: 1 }),
  artifactHash: hash,
  alias: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
};
const pinned: NamingForms = {
  route: pin,
  model: Type.Object(pin, closed),
  code: Type.Object({ hash, function: Type.String({ minLength: 1, maxLength: 256 }) }, closed),
};

/** Schema of a route that is a model, and of one that is a graph. */
export function routeSchemas(forms: NamingForms, graph: TSchema): { readonly model: TSchema; readonly graph: TSchema } {
  const share = { weight: weightSchema, shadow: Type.Optional(shadowSchema) };
  return {
    model: Type.Object({ name: nameSchema, ...forms.route, ...share }, closed),
    graph: Type.Object({ name: nameSchema, graph, ...share }, closed),
  };
}

export const featureSchema = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 128 }),
    kind: Type.Enum(['numeric', 'categorical']),
    categories: Type.Optional(Type.Array(Type.String(), { maxItems: 10_000 })),
  },
  closed,
);

export const feedbackSchema = Type.Object(
  {
    windowMs: durationMs,
    reward: Type.Enum(['negative-squared-error', 'negative-absolute-error', 'equal']),
    rewardFunction: Type.Optional(
      Type.Object(
        {
          code: Type.Unknown(),
          timeoutMs: Type.Integer({ minimum: 1, maximum: 10_000 }),
          memoryMb: Type.Integer({ minimum: 16, maximum: 1_024 }),
        },
        closed,
      ),
    ),
  },
  closed,
);

export const monitorsSchema = Type.Object(
  {
    window: Type.Object({ rows: count, minRows: count, maxAgeMs: durationMs }, closed),
    referenceHash: Type.Optional(hash),
    reference: Type.Optional(
      Type.String({
        pattern: attachedPattern,
        description: 'sample of a model version: models:/<model>@<alias>#<name>',
      }),
    ),
    drift: Type.Optional(
      Type.Object(
        {
          alpha: probability,
          correction: Type.Enum(['bonferroni', 'benjamini-hochberg']),
          minEffectSize: Type.Number({ minimum: 0 }),
          raiseAfter: count,
          clearAfter: count,
        },
        closed,
      ),
    ),
    outliers: Type.Optional(Type.Object({ falsePositiveRate: probability }, closed)),
    experiment: Type.Optional(Type.Object({ assessEvery: count, alpha: probability }, closed)),
    quality: Type.Optional(
      Type.Object(
        {
          rows: Type.Integer({ minimum: 0, maximum: 10_000 }),
          maxAgeMs: durationMs,
          segments: Type.Array(Type.String({ minLength: 1, maxLength: 128 }), { maxItems: 10 }),
          probabilities: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
        },
        closed,
      ),
    ),
    alerts: Type.Optional(Type.Array(qualityAlertSchema, { maxItems: 100 })),
    statistics: Type.Optional(
      Type.Object(
        {
          everyMs: Type.Integer({
            minimum: 0,
            maximum: 31 * 86_400_000,
            description: 'length of a window of feature statistics; 0: none are made; default a minute',
          }),
          latenessMs: Type.Optional(
            Type.Integer({
              minimum: 0,
              maximum: 7 * 86_400_000,
              description: 'a window waits so long for its rows; default 10 s',
            }),
          ),
        },
        closed,
      ),
    ),
    detectors: Type.Optional(Type.Array(detectorSchema, { maxItems: 100 })),
  },
  closed,
);

/** A deployment but for its routes, whose form depends on {@link NamingForms}. */
export const deploymentSchema = Type.Object(
  {
    name: nameSchema,
    routes: Type.Array(Type.Unknown(), { minItems: 1, maxItems: 100 }),
    features: Type.Array(featureSchema, { maxItems: 10_000 }),
    output: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    feedback: feedbackSchema,
    monitors: monitorsSchema,
    follow: Type.Optional(
      Type.Boolean({ description: 'a new version by itself when an alias that names a model moves; default false' }),
    ),
    traffic: Type.Optional(trafficSchema),
    explainers: Type.Optional(
      Type.Array(explainerSchema, { maxItems: 10, description: 'predictions that are explained by themselves' }),
    ),
    cache: Type.Optional(cacheSchema),
    payloads: Type.Optional(payloadSchema),
    limits: Type.Optional(limitSchema),
  },
  closed,
);

function rewardCodeProblems(value: unknown, forms: NamingForms): readonly string[] {
  const { feedback } = (value ?? {}) as {
    readonly feedback?: { readonly rewardFunction?: { readonly code?: unknown } };
  };
  const code = feedback?.rewardFunction?.code;
  if (code === undefined) return [];
  return breaches(forms.code, code).map(
    ({ path, says }) => `feedback.rewardFunction.code${path && `.${path}`} ${says}`,
  );
}

function routeProblems(value: unknown, forms: NamingForms): readonly string[] {
  const { routes } = (value ?? {}) as { readonly routes?: unknown };
  if (!Array.isArray(routes)) return [];
  const schemas = routeSchemas(forms, Type.Unknown());
  return (routes as unknown[]).flatMap((route, index) => {
    const { name, graph } = (route ?? {}) as { readonly name?: unknown; readonly graph?: unknown };
    const found = breaches(graph === undefined ? schemas.model : schemas.graph, route);
    const problems = found.map(({ path, says }) => `routes.${index}${path === '' ? '' : `.${path}`} ${says}`);
    if (graph === undefined) return problems;
    return [...problems, ...graphProblems(graph, forms.model, forms.code, `route '${String(name)}'`)];
  });
}

/** Breaches of a schema as sentences: path, rule, and what was there. */
export function shapeProblems(schema: TSchema, value: unknown): readonly string[] {
  return breaches(schema, value).map(({ path, says }) => `${path === '' ? 'the deployment' : path} ${says}`);
}

/** What a schema cannot say. Looks only at parts that have their shape. */
export function meaningProblems(document: unknown): readonly string[] {
  const { routes, features, monitors, traffic, explainers, follow, limits } = (document ??
    {}) as Partial<DeploymentDocument>;
  const problems: string[] = [];
  if (Array.isArray(routes) && routes.length > 0) {
    const list = routes as readonly Partial<DeploymentDocument['routes'][number]>[];
    const total = list.reduce((sum, route) => sum + (typeof route?.weight === 'number' ? route.weight : 0), 0);
    if (!(total > 0)) problems.push('routes must have a positive sum of weights, got 0: no request could be routed');
    problems.push(...repeated('routes', list));
    const shared = (list as readonly (SharedRoute | null)[]).filter((route) => route !== null);
    problems.push(...trafficProblems(shared, settingsOf(traffic)));
    problems.push(...promotionProblems(list, settingsOf(traffic), follow));
  }
  if (Array.isArray(features)) problems.push(...repeated('features', features as readonly { name?: unknown }[]));
  if (limits?.queue !== undefined && limits.concurrency === undefined)
    problems.push('limits.queue needs limits.concurrency: without it nothing waits for its turn');
  const window = monitors?.window;
  if (window !== undefined && window.minRows > window.rows) {
    problems.push(`monitors.window.minRows must be at most rows (${window.rows}), got ${window.minRows}`);
  }
  if (monitors !== undefined && monitors !== null && !hasSample(monitors)) {
    for (const part of ['drift', 'outliers'] as const) {
      if (monitors[part] !== undefined)
        problems.push(`monitors.${part} needs monitors.referenceHash or monitors.reference: a reference sample`);
    }
  }
  if (monitors !== undefined && monitors !== null) problems.push(...detectorProblems(monitors));
  if (Array.isArray(explainers) && explainers.length > 0 && !hasSample(monitors)) {
    problems.push(
      'explainers need monitors.referenceHash or monitors.reference: explanations compare with a reference sample',
    );
  }
  problems.push(
    ...qualityAlertProblems(monitors?.alerts, {
      routes: arrayOf(routes).map((route) => (route as { readonly name?: unknown } | null)?.name),
      segments: arrayOf(monitors?.quality?.segments),
      rows: monitors?.quality?.rows ?? defaultQuality.rows,
    }),
  );
  for (const segment of arrayOf(monitors?.quality?.segments)) {
    const feature = arrayOf(features).find((one) => (one as { name?: unknown } | null)?.name === segment);
    if ((feature as { kind?: unknown } | undefined)?.kind !== 'categorical')
      problems.push(`monitors.quality.segments: '${String(segment)}' must be a categorical feature`);
  }
  return problems;
}

/** A promotion moves the alias of the stable route to the version of the canary: both must be there, of one model, and be followed. */
function promotionProblems(
  routes: readonly Partial<DeploymentDocument['routes'][number]>[],
  traffic: TrafficSettings | undefined,
  follow: unknown,
): readonly string[] {
  const { alias, stable, canary } = traffic?.rollout ?? {};
  if (alias === undefined) return [];
  const problems =
    follow === true ? [] : ['traffic.rollout.alias needs follow: what is promoted is served by following the alias'];
  const [from, to] = [stable, canary].map((name) => namedModel(routes.find((route) => route?.name === name)));
  if (from?.alias !== alias)
    problems.push(`traffic.rollout.alias: route '${String(stable)}' must name its model by the alias '${alias}'`);
  if (to === undefined || to.model !== from?.model)
    problems.push(
      `traffic.rollout.alias: route '${String(canary)}' must be a version of the model '${from?.model ?? '?'}', too`,
    );
  return problems;
}

/** Of a route that is a model: as a person names it, or pinned. */
function namedModel(route: object | undefined): { readonly model: string; readonly alias?: string } | undefined {
  const { model, alias } = (route ?? {}) as { readonly model?: unknown; readonly alias?: unknown };
  if (typeof model !== 'string') return undefined;
  const written = /^models:\/([^@/]+)(?:@(.+)|\/.+)$/.exec(model);
  const [name = model, by = alias] = written?.slice(1) ?? [];
  return { model: name, ...(typeof by === 'string' ? { alias: by } : {}) };
}

const hasSample = (monitors: Partial<DeploymentDocument['monitors']> | undefined): boolean =>
  monitors?.referenceHash !== undefined || monitors?.reference !== undefined;

const arrayOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

function settingsOf(traffic: unknown): TrafficSettings | undefined {
  return typeof traffic === 'object' && traffic !== null ? (traffic as TrafficSettings) : undefined;
}

function repeated(what: string, items: readonly ({ readonly name?: unknown } | null)[]): readonly string[] {
  const seen = new Set<unknown>();
  const problems: string[] = [];
  for (const [index, item] of items.entries()) {
    const name = item?.name;
    if (seen.has(name)) problems.push(`${what}.${index}.name '${String(name)}' is used twice`);
    seen.add(name);
  }
  return problems;
}

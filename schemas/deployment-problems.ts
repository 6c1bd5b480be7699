/**
 * What is wrong with a deployment, all of it at once, with paths. The same schema is published for people who write deployments as
 * YAML; `sdk/deployment` replaces the schema of a route, because there a model may also be named by version or alias.
 */
import { type TSchema, Type } from 'typebox';
import { Value } from 'typebox/value';
import type { DeploymentDocument } from './deployment-document.ts';

/** Problems of a deployment whose models are named by hash; empty when it may be deployed. */
export function deploymentProblems(document: unknown): readonly string[] {
  return [...shapeProblems(deploymentDocumentSchema, document), ...meaningProblems(document)];
}

const closed = { additionalProperties: false };
const hash = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'sha256 of a blob, hex' });
const probability = Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1 });
const count = Type.Integer({ minimum: 1, maximum: 1_000_000 });
const durationMs = Type.Integer({ minimum: 1, maximum: 366 * 86_400_000 });

/** Name of a deployment or route. */
export const nameSchema = Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$' });
export const weightSchema = Type.Number({ minimum: 0, maximum: 1e9, description: 'share = weight / sum of weights' });

const routeSchema = Type.Object(
  {
    name: nameSchema,
    model: Type.String({ minLength: 1, maxLength: 128 }),
    modelVersion: Type.Integer({ minimum: 1 }),
    artifactHash: hash,
    weight: weightSchema,
  },
  closed,
);

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
  },
  closed,
);

export const monitorsSchema = Type.Object(
  {
    window: Type.Object({ rows: count, minRows: count, maxAgeMs: durationMs }, closed),
    referenceHash: Type.Optional(hash),
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
  },
  closed,
);

/** Routes, features and so on of a deployment, by the schema of a route. */
export function deploymentSchema<R extends TSchema>(route: R) {
  return Type.Object(
    {
      name: nameSchema,
      routes: Type.Array(route, { minItems: 1, maxItems: 100 }),
      features: Type.Array(featureSchema, { maxItems: 10_000 }),
      output: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
      feedback: feedbackSchema,
      monitors: monitorsSchema,
    },
    closed,
  );
}

export const deploymentDocumentSchema = deploymentSchema(routeSchema);

/** Breaches of a schema as sentences: path, rule, and what was there. */
export function shapeProblems(schema: TSchema, value: unknown): readonly string[] {
  const problems: string[] = [];
  for (const error of Value.Errors(schema, value)) {
    if (error.keyword === 'additionalProperties') continue;
    const path = error.instancePath.slice(1).replaceAll('/', '.');
    const got = Value.Pointer.Get(value, error.instancePath);
    const rule =
      error.keyword === 'boolean'
        ? 'is not a known property'
        : error.keyword === 'enum'
          ? `must be one of ${(error.params.allowedValues as readonly unknown[]).join(', ')}`
          : error.message;
    const seen = error.keyword === 'required' || error.keyword === 'boolean' ? '' : `, got ${described(got)}`;
    problems.push(`${path === '' ? 'the deployment' : path} ${rule}${seen}`);
    if (problems.length >= problemsMax) break;
  }
  return problems;
}

const problemsMax = 20;

/** What a schema cannot say. Looks only at parts that have their shape. */
export function meaningProblems(document: unknown): readonly string[] {
  const { routes, features, monitors } = (document ?? {}) as Partial<DeploymentDocument>;
  const problems: string[] = [];
  if (Array.isArray(routes) && routes.length > 0) {
    const list = routes as readonly Partial<DeploymentDocument['routes'][number]>[];
    const total = list.reduce((sum, route) => sum + (typeof route?.weight === 'number' ? route.weight : 0), 0);
    if (!(total > 0)) problems.push('routes must have a positive sum of weights, got 0: no request could be routed');
    problems.push(...repeated('routes', list));
  }
  if (Array.isArray(features)) problems.push(...repeated('features', features as readonly { name?: unknown }[]));
  const window = monitors?.window;
  if (window !== undefined && window.minRows > window.rows) {
    problems.push(`monitors.window.minRows must be at most rows (${window.rows}), got ${window.minRows}`);
  }
  if (monitors !== undefined && monitors !== null && monitors.referenceHash === undefined) {
    for (const part of ['drift', 'outliers'] as const) {
      if (monitors[part] !== undefined)
        problems.push(`monitors.${part} needs monitors.referenceHash: a reference sample`);
    }
  }
  return problems;
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

function described(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** The JSON Schema of a deployment in YAML or JSON, as a person writes it: with short forms, and with what may be left out. */
import { Type } from 'typebox';
import { deploymentSchema, routeSchemas } from '../../schemas/deployment-problems.ts';
import { graphNodesMax, graphOutputSchema, nodeSchemas } from '../../schemas/inference-graph-problems.ts';
import { specForms } from '../../sdk/deployment/deployment-spec.ts';

type Json = Record<string, unknown>;

export function deploymentJsonSchema(): string {
  const graph = { $ref: '#/$defs/graph' };
  const routes = routeSchemas(specForms, Type.Unsafe(graph));
  const kinds = nodeSchemas(specForms.model, specForms.code, Type.Unsafe(graph));
  const whole = plain(deploymentSchema);
  const properties = whole['properties'] as Record<string, Json>;
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Millrace deployment',
    description: 'What is served under one name. `millrace deploy <file>` deploys it.',
    ...whole,
    properties: {
      ...properties,
      routes: {
        ...properties['routes'],
        items: { anyOf: [routes.model, routes.graph].map((route) => shadowOptional(optional(plain(route), 'weight'))) },
      },
      features: {
        ...properties['features'],
        items: { anyOf: [{ type: 'string' }, properties['features']?.['items']] },
      },
      feedback: everythingOptional(properties['feedback'] ?? {}),
      monitors: everythingOptional(properties['monitors'] ?? {}),
      traffic: trafficShortForms(properties['traffic'] ?? {}),
    },
    required: ['name', 'routes'],
    $defs: {
      input: { anyOf: [reference(), nodeInput()] },
      inputs: { anyOf: [reference(), { type: 'array', items: { $ref: '#/$defs/input' }, minItems: 1, maxItems: 100 }] },
      code: {
        anyOf: [{ type: 'string', description: '`./file.ts#function`' }, plain(specForms.code)],
      },
      node: { anyOf: Object.values(kinds).map((kind) => shortForms(plain(kind))) },
      output: {
        anyOf: [{ $ref: '#/$defs/inputs' }, withInputs(optional(plain(graphOutputSchema), 'join'), 'from')],
      },
      graph: {
        type: 'object',
        description:
          'Inputs default to the node before (the request is `input`), joins to all, the output to the last node.',
        properties: {
          nodes: { type: 'array', items: { $ref: '#/$defs/node' }, minItems: 1, maxItems: graphNodesMax },
          output: { $ref: '#/$defs/output' },
        },
        required: ['nodes'],
        additionalProperties: false,
      },
    },
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

/** Without the marks of the library. */
function plain(schema: unknown): Json {
  return JSON.parse(JSON.stringify(schema)) as Json;
}

function inputsOf(): Json {
  const inputs = (plain(graphOutputSchema)['properties'] as Record<string, Json>)['from'];
  return (inputs?.['items'] ?? {}) as Json;
}

const nodeInput = (): Json => inputsOf();

function reference(): Json {
  return (inputsOf()['properties'] as Record<string, Json>)['from'] ?? {};
}

function shortForms(node: Json): Json {
  const { branches, code, ...properties } = node['properties'] as Record<string, Json>;
  const named =
    branches === undefined
      ? {}
      : { branches: { ...branches, items: { anyOf: [{ type: 'string' }, branches['items']] } } };
  const coded = code === undefined ? {} : { code: { $ref: '#/$defs/code' } };
  return withInputs(
    optional({ ...node, properties: { ...properties, ...named, ...coded } }, 'inputs', 'join'),
    'inputs',
  );
}

function withInputs(schema: Json, property: string): Json {
  return { ...schema, properties: { ...(schema['properties'] as Json), [property]: { $ref: '#/$defs/inputs' } } };
}

function shadowOptional(route: Json): Json {
  const { shadow, ...properties } = route['properties'] as Record<string, Json>;
  return { ...route, properties: { ...properties, shadow: everythingOptional(shadow ?? {}) } };
}

/** Defaults may be left out; a step may be its percentage. */
function trafficShortForms(traffic: Json): Json {
  const { bandit, rollout, ...rest } = traffic['properties'] as Record<string, Json>;
  const { steps, ...others } = (rollout?.['properties'] ?? {}) as Record<string, Json>;
  const step = optional((steps?.['items'] ?? {}) as Json, 'minRequests', 'durationMs');
  const properties = { ...others, steps: { ...steps, items: { anyOf: [{ type: 'number' }, step] } } };
  const short = { ...rollout, properties, required: ['stable', 'canary'] };
  return everythingOptionalAtTop({
    ...traffic,
    properties: { ...rest, bandit: everythingOptionalAtTop(bandit ?? {}), rollout: short },
  });
}

function everythingOptionalAtTop({ required: _, ...rest }: Json): Json {
  return rest;
}

function optional(schema: Json, ...names: readonly string[]): Json {
  const required = (schema['required'] as readonly string[]).filter((name) => !names.includes(name));
  return { ...schema, required };
}

function everythingOptional(schema: Json): Json {
  const { required: _, ...rest } = schema;
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Json>).map(
    ([name, property]) => [name, property['type'] === 'object' ? everythingOptional(property) : property] as const,
  );
  return { ...rest, properties: Object.fromEntries(properties) };
}

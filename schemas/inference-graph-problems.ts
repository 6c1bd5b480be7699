/** What is wrong with an inference graph, all of it at once; every sentence names the node and what to do. */
import { type TSchema, Type } from 'typebox';
import { type Breach, breaches } from './breaches.ts';
import {
  type GraphNode,
  type InferenceGraph,
  nodeKinds,
  parseReference,
  type Reference,
  sourcesOf,
} from './inference-graph.ts';

const closed = { additionalProperties: false };
const name = Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,62}$' });
const reference = Type.String({
  pattern: '^[a-z0-9][a-z0-9_-]{0,62}([.].{1,256}|/[a-z0-9][a-z0-9_-]{0,62})?$',
  description: '`input`, `<node>`, `<node>.<tensor>` or `<router>/<branch>`',
});
const nodeInput = Type.Object(
  { from: reference, as: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })) },
  closed,
);
const join = Type.Enum(['all', 'any', 'some']);
const inputs = Type.Array(nodeInput, { minItems: 1, maxItems: 100 });
const joinWindowMs = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: 60_000,
    description: 'longest wait of the join, from the first input that is there; default until each is decided',
  }),
);

const base = {
  name,
  inputs,
  join,
  triggers: Type.Optional(Type.Array(reference, { minItems: 1, maxItems: 100 })),
  triggerJoin: Type.Optional(Type.Enum(['all', 'any'])),
  joinWindowMs,
};
const limits = {
  timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 60_000, description: 'of one call; default 1000' })),
  memoryMb: Type.Optional(
    Type.Integer({ minimum: 16, maximum: 4_096, description: 'heap of its thread; default 128' }),
  ),
};
const branch = Type.Object({ name, weight: Type.Optional(Type.Number({ minimum: 0, maximum: 1e9 })) }, closed);

/** Schema of each kind of node, by the schemas of a model and of code. */
export function nodeSchemas(model: TSchema, code: TSchema, graph: TSchema): Readonly<Record<string, TSchema>> {
  const kind = (text: string) => ({ kind: Type.Literal(text) });
  const transformer = { ...base, code, ...limits };
  return {
    model: Type.Object({ ...kind('model'), ...base, model }, closed),
    transformer: Type.Object({ ...kind('transformer'), ...transformer }, closed),
    'output-transformer': Type.Object({ ...kind('output-transformer'), ...transformer }, closed),
    function: Type.Object({ ...kind('function'), ...transformer, models: Type.Record(Type.String(), model) }, closed),
    router: Type.Object(
      {
        ...kind('router'),
        ...base,
        code: Type.Optional(code),
        ...limits,
        builtin: Type.Optional(Type.Enum(['random', 'hash'])),
        branches: Type.Array(branch, { minItems: 1, maxItems: 100 }),
      },
      closed,
    ),
    combiner: Type.Object(
      {
        ...kind('combiner'),
        ...base,
        code: Type.Optional(code),
        ...limits,
        builtin: Type.Optional(Type.Enum(['average'])),
      },
      closed,
    ),
    graph: Type.Object(
      {
        ...kind('graph'),
        ...base,
        graph,
        repeat: Type.Optional(
          Type.Object(
            {
              while: Type.String({ minLength: 1, maxLength: 256 }),
              maxRounds: Type.Integer({ minimum: 1, maximum: 1_000 }),
            },
            closed,
          ),
        ),
      },
      closed,
    ),
  };
}

export const graphOutputSchema = Type.Object({ from: inputs, join, joinWindowMs }, closed);
export const graphNodesMax = 100;
const depthMax = 5;

/** `where`: what the graph belongs to, such as `route 'main'`. */
export function graphProblems(
  graph: unknown,
  model: TSchema,
  code: TSchema,
  where: string,
  depth = 1,
): readonly string[] {
  const { nodes, output, ...others } = (graph ?? {}) as Partial<InferenceGraph>;
  if (!Array.isArray(nodes) || nodes.length === 0) return [`${where}: graph.nodes must be a list of at least one node`];
  if (nodes.length > graphNodesMax)
    return [`${where}: a graph may have at most ${graphNodesMax} nodes, got ${nodes.length}`];
  if (depth > depthMax) return [`${where}: graphs may be nested ${depthMax} deep: flatten this one`];
  const problems = Object.keys(others).map((key) => `${where}: graph.${key} is not a known property`);
  const schemas = nodeSchemas(model, code, Type.Unknown());
  const sound: GraphNode[] = [];
  for (const [index, node] of (nodes as unknown[]).entries()) {
    const at = nodeLabel(where, node, index);
    const schema = schemas[String((node as { kind?: unknown } | null)?.kind)];
    const found: readonly Breach[] =
      schema === undefined
        ? [{ path: 'kind', says: `must be one of ${nodeKinds.join(', ')}` }]
        : breaches(schema, node);
    problems.push(...found.map(({ path, says }) => `${at}: ${path === '' ? 'it' : path} ${says}`));
    if (found.length > 0) continue;
    const shaped = node as GraphNode;
    sound.push(shaped);
    problems.push(...kindProblems(shaped, at));
    if (shaped.kind === 'graph') problems.push(...graphProblems(shaped.graph, model, code, at, depth + 1));
  }
  const outputFound = breaches(graphOutputSchema, output);
  problems.push(
    ...outputFound.map(({ path, says }) => `${where}: graph.output${path === '' ? '' : `.${path}`} ${says}`),
  );
  // What refers to what can only be judged once every part has its shape.
  if (problems.length > 0 || output === undefined) return problems;
  return [...problems, ...wiringProblems(sound, output, where)];
}

function nodeLabel(where: string, node: unknown, index: number): string {
  const named = (node as { name?: unknown } | null)?.name;
  return `${where}, node ${typeof named === 'string' ? `'${named}'` : index}`;
}

function kindProblems(node: GraphNode, at: string): readonly string[] {
  const problems: string[] = [];
  if (node.name === 'input') problems.push(`${at}: 'input' is the request: choose another name`);
  if (node.kind === 'router' || node.kind === 'combiner') {
    if ((node.code === undefined) === (node.builtin === undefined)) {
      const builtin = node.kind === 'router' ? 'random or hash' : 'average';
      problems.push(
        `${at}: it needs either code or builtin (${builtin}), got ${node.code === undefined ? 'neither' : 'both'}`,
      );
    }
  }
  if (node.kind === 'router') {
    const total = node.branches.reduce((sum, { weight = 1 }) => sum + weight, 0);
    if (!(total > 0)) problems.push(`${at}: branches must have a positive sum of weights, got 0`);
    for (const [index, { name: branchName }] of node.branches.entries()) {
      if (node.branches.findIndex((other) => other.name === branchName) !== index) {
        problems.push(`${at}: branch '${branchName}' is there twice: rename one`);
      }
    }
  }
  if (node.kind === 'combiner' && node.inputs.length < 2 && node.join !== 'any') {
    problems.push(`${at}: a combiner needs at least two inputs, got ${node.inputs.length}`);
  }
  if (node.kind === 'function' && Object.keys(node.models).some((key) => !/^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(key))) {
    problems.push(`${at}: names of models must be like variables, got ${Object.keys(node.models).join(', ')}`);
  }
  return problems;
}

function wiringProblems(
  nodes: readonly GraphNode[],
  output: InferenceGraph['output'],
  where: string,
): readonly string[] {
  const problems: string[] = [];
  const byName = new Map<string, GraphNode>();
  for (const node of nodes) {
    if (byName.has(node.name)) problems.push(`${where}, node '${node.name}': another node has this name: rename one`);
    byName.set(node.name, node);
  }
  const used = new Map<string, Set<string>>();
  const check = (text: string, at: string): void => {
    const parsed = parseReference(text);
    const target = parsed === undefined ? undefined : byName.get(parsed.node);
    if (parsed === undefined)
      problems.push(`${at}: '${text}' is no reference: write <node>, <node>.<tensor> or <router>/<branch>`);
    else if (parsed.node !== 'input' && target === undefined) {
      problems.push(`${at}: there is no node '${parsed.node}'; there are ${['input', ...byName.keys()].join(', ')}`);
    } else problems.push(...referenceProblems(text, parsed, target, at));
    if (parsed !== undefined) {
      const branches = used.get(parsed.node) ?? new Set();
      used.set(parsed.node, branches.add(parsed.branch ?? ''));
    }
  };
  for (const node of nodes) {
    const at = `${where}, node '${node.name}'`;
    for (const { from } of node.inputs) check(from, at);
    for (const trigger of node.triggers ?? []) check(trigger, at);
    problems.push(...renameProblems(node.inputs, at), ...windowProblems(node, at));
  }
  for (const { from } of output.from) check(from, `${where}: graph.output`);
  problems.push(
    ...renameProblems(output.from, `${where}: graph.output`),
    ...windowProblems({ inputs: output.from, ...output }, `${where}: graph.output`),
  );
  if (problems.length > 0) return problems;
  for (const node of nodes) {
    const branches = used.get(node.name);
    const at = `${where}, node '${node.name}'`;
    if (branches === undefined) {
      problems.push(`${at}: its answer goes nowhere: name it in the inputs of another node or in output, or remove it`);
    } else if (node.kind === 'router') {
      const idle = node.branches.filter((known) => !branches.has(known.name)).map((known) => known.name);
      if (idle.length > 0) {
        problems.push(
          `${at}: nothing follows its branch ${idle.join(', ')}: let a node take '${node.name}/${idle[0]}'`,
        );
      }
    }
  }
  const circle = circleOf(nodes);
  if (circle !== undefined) {
    problems.push(
      `${where}: ${circle.join(' → ')} is a circle: put these nodes into a node of kind graph with repeat {while, maxRounds}`,
    );
  }
  return problems;
}

function referenceProblems(
  text: string,
  parsed: Reference,
  target: GraphNode | undefined,
  at: string,
): readonly string[] {
  const { node, tensor, branch: wanted } = parsed;
  if (target?.kind === 'router') {
    const names = target.branches.map((known) => known.name);
    if (wanted === undefined)
      return [
        `${at}: '${text}' is a router: name one of its branches, ${names.map((known) => `${node}/${known}`).join(' or ')}`,
      ];
    if (!names.includes(wanted))
      return [`${at}: router '${node}' has no branch '${wanted}'; it has ${names.join(', ')}`];
    return tensor === undefined ? [] : [`${at}: '${text}' names a tensor of a router: name a branch`];
  }
  return wanted === undefined ? [] : [`${at}: '${node}' is no router: write '${node}' or '${node}.<tensor>'`];
}

function renameProblems(
  list: readonly { readonly from: string; readonly as?: string }[],
  at: string,
): readonly string[] {
  return list
    .filter(({ from, as }) => as !== undefined && parseReference(from)?.tensor === undefined)
    .map(
      ({ from, as }) =>
        `${at}: '${from}' stands for several tensors and cannot be called '${as}': name one, ${from}.<tensor>`,
    );
}

/** What comes from one node comes at once, and the request is there from the beginning. */
function windowProblems(
  { joinWindowMs: windowMs, ...waits }: Pick<GraphNode, 'inputs' | 'triggers' | 'joinWindowMs'>,
  at: string,
): readonly string[] {
  if (windowMs === undefined) return [];
  const references = [...waits.inputs.map(({ from }) => from), ...(waits.triggers ?? [])];
  const sources = [...new Set(references.map((text) => parseReference(text)?.node))];
  if (sources.length > 1) return [];
  return [`${at}: joinWindowMs is for what comes from several nodes, here all comes from '${sources[0]}': remove it`];
}

/** Nodes of a circle in order, the first again at the end. */
function circleOf(nodes: readonly GraphNode[]): readonly string[] | undefined {
  const before = new Map(nodes.map((node) => [node.name, sourcesOf(node)]));
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (node: string): readonly string[] | undefined => {
    if (done.has(node)) return undefined;
    const at = path.indexOf(node);
    if (at >= 0) return [...path.slice(at), node].reverse();
    path.push(node);
    for (const source of before.get(node) ?? []) {
      const found = visit(source);
      if (found !== undefined) return found;
    }
    path.pop();
    done.add(node);
    return undefined;
  };
  for (const node of nodes) {
    const found = visit(node.name);
    if (found !== undefined) return found;
  }
  return undefined;
}

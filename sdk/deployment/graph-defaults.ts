/** What may be left out of a graph: inputs (the node before, for the first the request), joins (all), the output (the last node). */

/** Fills in where the parts have the shape for it; the check afterwards judges the rest. */
export function filledGraph(graph: unknown): unknown {
  if (!isObject(graph) || !Array.isArray(graph['nodes'])) return graph;
  const list = graph['nodes'] as readonly unknown[];
  const nameOf = (node: unknown): unknown => (isObject(node) ? node['name'] : undefined);
  const nodes = list.map((node, index) => {
    if (!isObject(node)) return node;
    const before = index === 0 ? 'input' : nameOf(list[index - 1]);
    return {
      ...node,
      inputs: filledInputs(node['inputs'] ?? before),
      join: node['join'] ?? 'all',
      ...(node['graph'] === undefined ? {} : { graph: filledGraph(node['graph']) }),
      ...(Array.isArray(node['branches']) ? { branches: node['branches'].map(filledBranch) } : {}),
      ...(typeof node['code'] === 'string' ? { code: codeOf(node['code']) } : {}),
    };
  });
  return { ...graph, nodes, output: filledOutput(graph['output'] ?? nameOf(list.at(-1))) };
}

/** `forest`, `[forest, trees.label]`, `[{from: trees.label, as: label}]`. */
export function filledInputs(inputs: unknown): unknown {
  const list = Array.isArray(inputs) ? (inputs as readonly unknown[]) : [inputs];
  return list.map((input) => (typeof input === 'string' ? { from: input } : input));
}

/** Several references without a join are alternatives: what branches of a router end in. */
function filledOutput(output: unknown): unknown {
  if (isObject(output)) return { ...output, from: filledInputs(output['from']), join: output['join'] ?? 'any' };
  return { from: filledInputs(output), join: 'any' };
}

function filledBranch(branch: unknown): unknown {
  return typeof branch === 'string' ? { name: branch } : branch;
}

/** `./scale.ts#scale`; without a file it is a function of the deployment's own. */
export function codeOf(text: string): object {
  const at = text.lastIndexOf('#');
  return at < 0 ? { function: text } : { file: text.slice(0, at), function: text.slice(at + 1) };
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

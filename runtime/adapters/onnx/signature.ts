/** What a model takes and gives, from the types that its graph declares. */
import type { ModelSignature, TensorSpec } from '../../ports/index.ts';
import { elementTypes } from './element-types.ts';
import type { GraphFacts } from './inspect-graph.ts';
import { quoted, refused } from './refusal.ts';
import type { Dimension, ValueInfo } from './value-types.ts';

export interface OnnxSignature {
  readonly signature: ModelSignature;
  /** Inputs with a default inside of the model. onnxruntime-node cannot override them, so they are not in the signature. */
  readonly defaulted: readonly string[];
  /** Outputs that are no tensors; they are not asked for. */
  readonly leftOut: readonly { readonly name: string; readonly type: string }[];
  /** Sentences for people who deploy the model. */
  readonly notes: readonly string[];
}

export function signatureOf(graph: GraphFacts): OnnxSignature {
  const required = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
  const defaulted = graph.inputs.filter(({ name }) => graph.initializers.has(name)).map(({ name }) => name);
  const inputs = required.map(inputSpec);
  const leftOut: { name: string; type: string }[] = [];
  const outputs: TensorSpec[] = [];
  const kept: ValueInfo[] = [];
  for (const output of graph.outputs) {
    const datatype = datatypeOf(output);
    if (datatype === undefined) leftOut.push({ name: output.name, type: output.type?.text ?? 'no type' });
    else {
      outputs.push({ name: output.name, datatype, shape: shapeOf(output) });
      kept.push(output);
    }
  }
  if (outputs.length === 0) {
    const got = leftOut.map(({ name, type }) => `${quoted(name)} is ${type}`).join(', ');
    throw refused(
      'unsupported-type',
      'graph',
      `no output is a tensor that can be served: ${got || 'there are none'}. ${fix(leftOut)}`,
    );
  }
  const notes = [
    ...leftOut.map(
      ({ name, type }) =>
        `output ${quoted(name)} is ${type}, not a tensor that can be served, and is left out. ${fix([{ type }])}`,
    ),
    ...defaulted.map((name) => `input ${quoted(name)} has a default in the model, which is always used`),
  ];
  return { signature: { inputs, outputs, batch: batchOf(required, kept) }, defaulted, leftOut, notes };
}

function inputSpec(input: ValueInfo): TensorSpec {
  const datatype = datatypeOf(input);
  if (datatype === undefined) {
    const type = input.type?.text ?? 'no type';
    throw refused(
      'unsupported-type',
      `input ${quoted(input.name)}`,
      `it is ${type}; only tensors of ${known} can be given`,
    );
  }
  return { name: input.name, datatype, shape: shapeOf(input) };
}

function datatypeOf({ type }: ValueInfo): TensorSpec['datatype'] | undefined {
  return elementTypes[type?.elementType ?? 0]?.datatype;
}

/** A tensor of any rank is shown as one open dimension. */
function shapeOf({ type }: ValueInfo): readonly number[] {
  return (type?.dims ?? ['']).map((size) => (typeof size === 'number' ? size : -1));
}

/**
 * 'dynamic' when the first dimension of every input and output is open, and the inputs do not call it by different names; a number
 * when it is fixed at that everywhere. Whether rows influence each other cannot be seen from shapes: a deployment can switch
 * batching off for a model that, say, subtracts the mean of the batch.
 */
function batchOf(inputs: readonly ValueInfo[], outputs: readonly ValueInfo[]): ModelSignature['batch'] {
  const firsts = [...inputs, ...outputs].map(({ type }) => type?.dims?.[0]);
  const [first] = firsts;
  if (inputs.length === 0 || first === undefined) return 'none';
  if (typeof first === 'number') return first > 0 && firsts.every((size) => size === first) ? first : 'none';
  if (!firsts.every((size) => typeof size === 'string')) return 'none';
  const names = new Set(firsts.slice(0, inputs.length).filter((name: Dimension | undefined) => name !== ''));
  return names.size <= 1 ? 'dynamic' : 'none';
}

function fix(outputs: readonly { readonly type: string }[]): string {
  return outputs.some(({ type }) => type.startsWith('seq(map('))
    ? "Export the classifier with options={id(model): {'zipmap': False}} to get the probabilities as a tensor."
    : `Tensors of ${known} can be served.`;
}

const known = [...new Set(Object.values(elementTypes).flatMap(({ name, datatype }) => (datatype ? [name] : [])))].join(
  ', ',
);

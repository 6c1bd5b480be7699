/** Graphs, nodes and attributes: every constant, operator and name, at any depth. */
import { inspectSparseTensor, inspectTensor, sparseTensorName, tensorName, within } from './inspect-tensor.ts';
import { limits, type Tally } from './inspection-limits.ts';
import { attributeFields, graphFields, nodeFields, valueInfoFields } from './onnx-fields.ts';
import { checkOperator, functionKey, standardDomain } from './operators.ts';
import { type Message, ProtobufReader } from './protobuf-reader.ts';
import { quoted, refused } from './refusal.ts';
import { inspectType, inspectValueInfo, type ValueInfo } from './value-types.ts';

/** What one body (a graph with the graphs inside of it, or a function) holds; read by the check on functions. */
export interface BodyFacts {
  nodes: number;
  /** How often it calls each function of the model. */
  readonly calls: Map<string, number>;
}

export interface WalkContext {
  readonly tally: Tally;
  readonly functions: ReadonlySet<string>;
  readonly body: BodyFacts;
}

export interface GraphFacts {
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** Names of the constants. */
  readonly initializers: ReadonlySet<string>;
}

/** Names that exist in a graph, and in those around it. */
export interface Scope {
  readonly names: ReadonlySet<string>;
  readonly outer?: Scope | undefined;
}

export function inspectGraph(message: Message, context: WalkContext, outer?: Scope, depth = 0): GraphFacts {
  const { where } = message;
  if (depth > limits.graphDepth) throw refused('too-deep', where, `graphs are nested deeper than ${limits.graphDepth}`);
  const { names, initializers } = namesOf(message, context.tally);
  const scope: Scope = { names, outer };
  const inputs: ValueInfo[] = [];
  const outputs: ValueInfo[] = [];
  const reader = new ProtobufReader(message, graphFields);
  let nodes = 0;
  while (reader.next()) {
    switch (reader.name) {
      case 'node':
        inspectNode(reader.message(where), nodes, context, scope, depth);
        nodes += 1;
        break;
      case 'initializer':
        inspectTensor(reader.message(where), 'initializer');
        break;
      case 'sparse_initializer':
        inspectSparseTensor(reader.message(where));
        break;
      case 'input':
        inputs.push(inspectValueInfo(reader.message(where), 'input'));
        break;
      case 'output':
        outputs.push(inspectValueInfo(reader.message(where), 'output'));
        break;
      case 'value_info':
        count(context.tally, 1, where);
        inspectValueInfo(reader.message(where), 'value');
        break;
      default:
        reader.skip();
    }
  }
  for (const { name } of outputs) {
    if (!exists(scope, name))
      throw refused('dangling-value', within(where, `output ${quoted(name)}`), 'no node makes it');
  }
  return { inputs, outputs, initializers };
}

export function inspectNode(message: Message, index: number, context: WalkContext, scope: Scope, depth: number): void {
  const { tally, body, functions } = context;
  body.nodes += 1;
  tally.nodes += 1;
  if (tally.nodes > limits.nodes) throw refused('too-many', message.where, `more than ${limits.nodes} nodes`);
  const reader = new ProtobufReader(message, nodeFields);
  const inputs: string[] = [];
  const attributes: Message[] = [];
  let [operator, domain] = ['', ''];
  while (reader.next()) {
    if (reader.name === 'input') {
      count(tally, 1, message.where);
      inputs.push(reader.text());
    } else if (reader.name === 'op_type') operator = reader.text();
    else if (reader.name === 'domain') domain = standardDomain(reader.text());
    else if (reader.name === 'attribute') attributes.push(reader.message(message.where));
    else reader.skip();
  }
  const where = within(message.where, `node ${index} (${operator.slice(0, 80)})`);
  checkOperator(where, domain, operator, functions);
  const key = functionKey(domain, operator);
  if (functions.has(key)) body.calls.set(key, (body.calls.get(key) ?? 0) + 1);
  for (const name of inputs) {
    if (name !== '' && !exists(scope, name)) {
      throw refused('dangling-value', where, `it reads ${quoted(name)}, which no input, constant or node makes`);
    }
  }
  for (const attribute of attributes) inspectAttribute({ ...attribute, where }, context, scope, depth);
}

export function inspectAttribute(message: Message, context: WalkContext, scope: Scope, depth: number): void {
  count(context.tally, 1, message.where);
  const where = within(message.where, `attribute ${quoted(attributeName(message))}`);
  const reader = new ProtobufReader(message, attributeFields);
  while (reader.next()) {
    switch (reader.name) {
      case 't':
      case 'tensors':
        count(context.tally, 1, where);
        inspectTensor(reader.message(where));
        break;
      case 'sparse_tensor':
      case 'sparse_tensors':
        count(context.tally, 1, where);
        inspectSparseTensor(reader.message(where));
        break;
      case 'g':
      case 'graphs':
        inspectGraph(reader.message(where), context, scope, depth + 1);
        break;
      case 'tp':
      case 'type_protos':
        count(context.tally, 1, where);
        inspectType(reader.message(where));
        break;
      default:
        reader.skip();
    }
  }
}

/** Adds the names that a node makes. */
export function addOutputs(message: Message, names: Set<string>, tally: Tally): void {
  const reader = new ProtobufReader(message, nodeFields);
  while (reader.next()) {
    if (reader.name === 'output') {
      count(tally, 1, message.where);
      names.add(reader.text());
    } else reader.skip();
  }
}

/** A first pass, because a graph inside may read what a later node of the graph around it makes. */
function namesOf(message: Message, tally: Tally): { names: Set<string>; initializers: Set<string> } {
  const { where } = message;
  const reader = new ProtobufReader(message, graphFields);
  const names = new Set<string>();
  const initializers = new Set<string>();
  while (reader.next()) {
    if (reader.name === 'node') addOutputs(reader.message(where), names, tally);
    else if (reader.name === 'input') {
      count(tally, 1, where);
      names.add(nameOf(reader.message(where)));
    } else if (reader.name === 'initializer' || reader.name === 'sparse_initializer') {
      count(tally, 1, where);
      const name = (reader.name === 'initializer' ? tensorName : sparseTensorName)(reader.message(where));
      initializers.add(name);
      names.add(name);
    } else reader.skip();
  }
  return { names, initializers };
}

function nameOf(message: Message): string {
  const reader = new ProtobufReader(message, valueInfoFields);
  let name = '';
  while (reader.next()) {
    if (reader.name === 'name') name = reader.text();
    else reader.skip();
  }
  return name;
}

function attributeName(message: Message): string {
  const reader = new ProtobufReader(message, attributeFields);
  while (reader.next()) {
    if (reader.name === 'name') return reader.text();
    reader.skip();
  }
  return '';
}

function exists(scope: Scope, name: string): boolean {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.outer) if (at.names.has(name)) return true;
  return false;
}

function count(tally: Tally, by: number, where: string): void {
  tally.values += by;
  if (tally.values > limits.values) throw refused('too-many', where, `more than ${limits.values} values and names`);
}

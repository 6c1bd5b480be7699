/**
 * Functions that a model brings: their bodies hold to the same rules as its graph. The runtime replaces each call by the body, so
 * functions that call each other a few times each can unfold to more nodes than any machine holds; that is counted beforehand.
 */
import { addOutputs, type BodyFacts, inspectAttribute, inspectNode, type Scope } from './inspect-graph.ts';
import { within } from './inspect-tensor.ts';
import { limits, type Tally } from './inspection-limits.ts';
import { functionFields, operatorSetFields } from './onnx-fields.ts';
import { checkOperatorSet, functionKey, standardDomain } from './operators.ts';
import { type Message, ProtobufReader } from './protobuf-reader.ts';
import { quoted, refused } from './refusal.ts';

/** Domain and name, all that a call needs. */
export function functionKeyOf(message: Message): string {
  const { domain, name } = identity(message);
  return functionKey(domain, name);
}

export function inspectFunction(message: Message, functions: ReadonlySet<string>, tally: Tally): BodyFacts {
  const { domain, name } = identity(message);
  const where = within(message.where, `function ${quoted(`${domain}:${name}`)}`);
  const body: BodyFacts = { nodes: 0, calls: new Map() };
  const context = { tally, functions, body };
  const names = new Set<string>();
  const nodes: Message[] = [];
  const attributes: Message[] = [];
  const reader = new ProtobufReader({ ...message, where }, functionFields);
  while (reader.next()) {
    if (reader.name === 'input') names.add(reader.text());
    else if (reader.name === 'node') nodes.push(reader.message(where));
    else if (reader.name === 'attribute_proto') attributes.push(reader.message(where));
    else if (reader.name === 'opset_import') inspectOperatorSet(reader.message(where));
    else reader.skip();
  }
  if (nodes.length > limits.nodes) throw refused('too-many', where, `more than ${limits.nodes} nodes`);
  for (const node of nodes) addOutputs(node, names, tally);
  const scope: Scope = { names };
  for (const attribute of attributes) inspectAttribute(attribute, context, scope, 0);
  nodes.forEach((node, index) => inspectNode(node, index, context, scope, 0));
  return body;
}

/** Refuses functions that call themselves, and a graph that unfolds to too many nodes. */
export function checkUnfolding(graph: BodyFacts, functions: ReadonlyMap<string, BodyFacts>): void {
  const sizes = new Map<string, number>();
  const open = new Set<string>();
  const unfolded = (body: BodyFacts): number => {
    let nodes = body.nodes;
    for (const [key, times] of body.calls) nodes += times * sizeOf(key);
    if (nodes > limits.nodesUnfolded) {
      throw refused('too-many', 'functions', `their calls unfold to more than ${limits.nodesUnfolded} nodes`);
    }
    return nodes;
  };
  const sizeOf = (key: string): number => {
    const known = sizes.get(key);
    if (known !== undefined) return known;
    const body = functions.get(key);
    if (body === undefined) return 0;
    if (open.has(key)) {
      throw refused('recursive-function', `function ${quoted(key.replace('\u0000', ':'))}`, 'it calls itself');
    }
    open.add(key);
    const size = unfolded(body);
    open.delete(key);
    sizes.set(key, size);
    return size;
  };
  unfolded(graph);
  for (const key of functions.keys()) sizeOf(key);
}

export function inspectOperatorSet(message: Message): void {
  const reader = new ProtobufReader(message, operatorSetFields);
  let domain = '';
  let version = 0n;
  while (reader.next()) {
    if (reader.name === 'domain') domain = standardDomain(reader.text());
    else version = reader.int();
  }
  checkOperatorSet(message.where, domain, version);
}

function identity(message: Message): { domain: string; name: string } {
  const reader = new ProtobufReader(message, functionFields);
  let [domain, name] = ['', ''];
  while (reader.next()) {
    if (reader.name === 'name') name = reader.text();
    else if (reader.name === 'domain') domain = standardDomain(reader.text());
    else reader.skip();
  }
  return { domain, name };
}

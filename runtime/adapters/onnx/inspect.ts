/**
 * The guard at the door: walks the bytes of a model file before the runtime sees them and refuses (MODEL_REFUSED, with what and where)
 * what is no ONNX file, cut short or garbled; names data outside of the file, anywhere: constants, sparse constants, attributes,
 * graphs inside of graphs, functions; uses operators that are not the runtime's own; declares more data than it has, or absurd
 * shapes; is of a newer format than the runtime reads; reads values that nothing makes; or unfolds without end.
 *
 * Time is linear in the size of the file and the memory does not depend on what it declares: see `inspection-limits.ts`.
 * What is left to the runtime: whether operators exist in the operator set, and whether types and shapes of nodes fit together.
 */
import { checkUnfolding, functionKeyOf, inspectFunction, inspectOperatorSet } from './inspect-functions.ts';
import { type BodyFacts, type GraphFacts, inspectGraph } from './inspect-graph.ts';
import { limits, Tally } from './inspection-limits.ts';
import { modelFields, trainingFields } from './onnx-fields.ts';
import { irVersionMax } from './operators.ts';
import { type Message, ProtobufReader } from './protobuf-reader.ts';
import { refused } from './refusal.ts';
import { type OnnxSignature, signatureOf } from './signature.ts';

export interface OnnxInspection extends OnnxSignature {
  readonly irVersion: number;
  /** Nodes of the graph, the graphs inside of it, and its functions. */
  readonly nodes: number;
}

/** Throws MODEL_REFUSED; `details` holds the `reason` and the place `where`. */
export function inspectOnnx(bytes: Uint8Array): OnnxInspection {
  if (bytes.length === 0) throw refused('empty', '', 'the file is empty');
  if (bytes.length > limits.fileBytes) {
    throw refused('too-large', '', `the file has ${bytes.length} bytes, at most ${limits.fileBytes} are possible`);
  }
  // The runtime's own format carries this mark; a file could be both.
  if (Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1', 4, 8) === 'ORTM') {
    throw refused('not-onnx', '', 'it is an ORT format file; give the ONNX file that it was made from');
  }
  const parts = modelParts(bytes);
  if (parts.irVersion < 1n) throw refused('not-onnx', 'model', 'it has no ir_version, so it is no ONNX file');
  if (parts.irVersion > BigInt(irVersionMax)) {
    throw refused(
      'future-version',
      'model',
      `ir_version ${parts.irVersion} is newer than ${irVersionMax}, the newest of onnxruntime 1.30; export with an older onnx`,
    );
  }
  if (parts.graph === undefined) throw refused('not-onnx', 'model', 'it has no graph');
  if (parts.operatorSets.length === 0) throw refused('malformed', 'model', 'it names no operator set (opset_import)');
  for (const set of parts.operatorSets) inspectOperatorSet(set);
  const tally = new Tally();
  const functions = new Set(parts.functions.map(functionKeyOf));
  const bodies = new Map<string, BodyFacts>();
  for (const message of parts.functions) {
    const key = functionKeyOf(message);
    const body = inspectFunction(message, functions, tally);
    bodies.set(key, larger(bodies.get(key), body));
  }
  const body: BodyFacts = { nodes: 0, calls: new Map() };
  const graph: GraphFacts = inspectGraph(parts.graph, { tally, functions, body });
  for (const graphs of parts.training) inspectTraining(graphs, functions, tally);
  checkUnfolding(body, bodies);
  return { ...signatureOf(graph), irVersion: Number(parts.irVersion), nodes: tally.nodes };
}

interface ModelParts {
  irVersion: bigint;
  graph: Message | undefined;
  readonly operatorSets: Message[];
  readonly functions: Message[];
  readonly training: Message[];
}

function modelParts(bytes: Uint8Array): ModelParts {
  const reader = new ProtobufReader({ bytes, start: 0, end: bytes.length, where: '' }, modelFields);
  const parts: ModelParts = { irVersion: 0n, graph: undefined, operatorSets: [], functions: [], training: [] };
  const push = (list: Message[], max: number): void => {
    if (list.length === max) throw refused('too-many', 'model', `more than ${max} ${reader.name}`);
    list.push(reader.message(reader.name === 'functions' ? 'model' : `model > ${reader.name}`));
  };
  while (reader.next()) {
    if (reader.name === 'ir_version') parts.irVersion = reader.int();
    else if (reader.name === 'graph') parts.graph = reader.message('graph');
    else if (reader.name === 'opset_import') push(parts.operatorSets, limits.operatorSets);
    else if (reader.name === 'functions') push(parts.functions, limits.functions);
    else if (reader.name === 'training_info') push(parts.training, limits.operatorSets);
    else reader.skip();
  }
  return parts;
}

/** Training graphs are never run; they may hide nothing all the same. What they read is made elsewhere. */
function inspectTraining(message: Message, functions: ReadonlySet<string>, tally: Tally): void {
  const reader = new ProtobufReader(message, trainingFields);
  const anything: ReadonlySet<string> = Object.assign(new Set<string>(), { has: () => true });
  while (reader.next()) {
    if (reader.name === 'initialization' || reader.name === 'algorithm') {
      const context = { tally, functions, body: { nodes: 0, calls: new Map<string, number>() } };
      inspectGraph(reader.message(`${message.where} > ${reader.name}`), context, { names: anything });
    } else reader.skip();
  }
}

/** Overloads share a name; the one that does more stands for all. */
function larger(one: BodyFacts | undefined, other: BodyFacts): BodyFacts {
  if (one === undefined) return other;
  const calls = new Map(one.calls);
  for (const [key, times] of other.calls) calls.set(key, Math.max(times, calls.get(key) ?? 0));
  return { nodes: Math.max(one.nodes, other.nodes), calls };
}

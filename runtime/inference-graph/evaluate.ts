/**
 * Evaluates an inference graph on one request. Rows of a request are put together as long as the code lets all of them go the same way; if
 * not, each is evaluated on its own.
 */
import type { InferenceGraph, LeftOut } from '../../schemas/inference-graph.ts';
import { MillraceError, type Tensor } from '../ports/index.ts';
import { joinRows, splitRows } from '../tensors/row-stacking.ts';
import { rowCount } from '../tensors/row-values.ts';
import { type CompiledGraph, compileGraph } from './compile.ts';
import type { GraphRequest, GraphServices } from './graph-services.ts';
import { type GraphStep, mergeSteps } from './graph-step.ts';
import { LeftOutInputs, mergeLeftOut, type Windows } from './left-out.ts';
import { type NodeRun, nodeRunner, RowsDisagree } from './run-node.ts';
import { type Walked, walkGraph } from './walk.ts';

export interface GraphAnswer<M> {
  readonly outputs: readonly Tensor[];
  readonly rows: number;
  /** Nodes that ran, in the order of the graph; none that was left out by all that take from it. */
  readonly steps: readonly GraphStep<M>[];
  /** What joins went on without. */
  readonly leftOut: readonly LeftOut[];
}

/** Rows that are evaluated on their own. */
const rowsApartMax = 4_096;

/** Rejects with the failure of a node (`details.node` names it), or NO_ANSWER when nothing led to the output: TIMEOUT, if something was left out. */
export async function evaluateGraph<M, C>(
  graph: InferenceGraph<M, C>,
  request: GraphRequest,
  services: GraphServices<M, C>,
  windows: Windows,
): Promise<GraphAnswer<M>> {
  const compiled = compileGraph(graph);
  const rows = rowCount(request.inputs) ?? 1;
  const evaluation = { compiled, request, services, windows };
  // What rows left out each for itself is of rows that were evaluated apart.
  if (windows.leftOut?.some((one) => one.rows.length > 0) === true) return await rowsApart(evaluation, rows);
  try {
    return { ...(await walked(evaluation, request.inputs, rows)), rows };
  } catch (error) {
    if (error instanceof RowsDisagree) return await rowsApart(evaluation, rows);
    throw error;
  }
}

interface Evaluation<M, C> {
  readonly compiled: CompiledGraph<M, C>;
  readonly request: GraphRequest;
  readonly services: GraphServices<M, C>;
  readonly windows: Windows;
}

/** `row`: of one by itself. */
function walked<M, C>(
  { compiled, request, services, windows }: Evaluation<M, C>,
  inputs: readonly Tensor[],
  rows: number,
  row?: number,
): Promise<Walked<M> & { readonly outputs: readonly Tensor[] }> {
  const leftOut = new LeftOutInputs(windows, row);
  const run: NodeRun<M, C> = nodeRunner({
    ...{ request, services, rows },
    walk: (graph, tensors, place) => walkGraph({ graph, inputs: tensors, place, leftOut, run }),
  });
  return walkGraph({ graph: compiled, inputs, place: { path: '', round: '' }, leftOut, run });
}

async function rowsApart<M, C>(evaluation: Evaluation<M, C>, rows: number): Promise<GraphAnswer<M>> {
  if (rows > rowsApartMax) {
    throw new MillraceError(
      'TOO_LARGE',
      `the rows of the request go different ways through the graph; at most ${rowsApartMax} may in one request, got ${rows}: send fewer`,
    );
  }
  const parts = splitRows(evaluation.request.inputs, new Array<number>(rows).fill(1)) ?? [];
  const answers = await Promise.all(parts.map((part, row) => walked(evaluation, part, 1, row)));
  const like = lookOf(answers[0]?.outputs ?? []);
  const other = answers.find(({ outputs }) => lookOf(outputs) !== like);
  if (other !== undefined) {
    throw new MillraceError(
      'USER_CODE_FAILED',
      `the rows of the request are answered by different tensors (${like} and ${lookOf(other.outputs)}): let all ways answer alike, or send one row at a time`,
    );
  }
  return {
    outputs: joinRows(answers.map(({ outputs }) => outputs)),
    rows,
    steps: mergeSteps(answers.flatMap(({ steps }) => steps)),
    leftOut: mergeLeftOut(answers.map(({ leftOut }) => leftOut)),
  };
}

function lookOf(tensors: readonly Tensor[]): string {
  return tensors.map(({ name, datatype, shape }) => `${name} ${datatype} [${shape.slice(1).join(', ')}]`).join(', ');
}

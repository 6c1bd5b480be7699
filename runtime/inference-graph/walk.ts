/**
 * One evaluation of a graph: every node runs once what it waits for is decided, side by side where nothing is between them. A node that
 * lacks an input does not run. The answer waits for all nodes but those that were left out, so that what is recorded follows from the
 * request and from what was left out.
 */
import type { LeftOut } from '../../schemas/inference-graph.ts';
import { MillraceError, messageOf, type Tensor } from '../ports/index.ts';
import type { CompiledGraph, Waits } from './compile.ts';
import { type Gathered, gather } from './gather.ts';
import type { GraphStep } from './graph-step.ts';
import { joined, type Result, together } from './joins.ts';
import type { LeftOutInputs } from './left-out.ts';
import { type NodeRun, RowsDisagree } from './run-node.ts';

/** Where in the whole a graph is. */
export interface GraphPlace {
  /** '', or the path of the graph's node with `/` behind. */
  readonly path: string;
  /** The same with rounds: `loop:2/`. */
  readonly round: string;
  /** Whether somebody still waits for it; undefined: somebody does. */
  readonly isWanted?: (() => boolean) | undefined;
}

/** What is recorded of a graph, or of a node. */
export interface Walked<M> {
  readonly steps: readonly GraphStep<M>[];
  readonly leftOut: readonly LeftOut[];
}

export interface WalkParts<M, C> {
  readonly graph: CompiledGraph<M, C>;
  readonly inputs: readonly Tensor[];
  readonly place: GraphPlace;
  readonly leftOut: LeftOutInputs;
  readonly run: NodeRun<M, C>;
}

interface Decided<M> extends Walked<M>, Result {
  /** Places of those that it waited for. */
  readonly needs: readonly number[];
}

/** Rejects with the failure of a node, or NO_ANSWER when nothing led to the output: TIMEOUT, if something was left out. */
export async function walkGraph<M, C>(
  parts: WalkParts<M, C>,
): Promise<Walked<M> & { readonly outputs: readonly Tensor[] }> {
  return await new GraphWalk(parts).answer();
}

class GraphWalk<M, C> {
  readonly #parts: WalkParts<M, C>;
  readonly #running: Promise<Decided<M>>[] = [];
  readonly #decided: Decided<M>[] = [];
  /** Places of those that wait for nothing any more; the output's is behind the last node. */
  readonly #ready = new Set<number>();

  constructor(parts: WalkParts<M, C>) {
    this.#parts = parts;
  }

  async answer(): Promise<Walked<M> & { readonly outputs: readonly Tensor[] }> {
    const { graph, inputs } = this.#parts;
    const { nodes, output } = graph;
    for (const index of nodes.keys()) {
      const running = this.#decide(index);
      // The failure of a node that everybody left out is nobody's.
      if (graph.windowed) running.catch(() => undefined);
      this.#running.push(running);
    }
    const gathered = await this.#gather(nodes.length, output);
    const needed = this.#needed(gathered.needs);
    const steps = needed.flatMap((one) => one.steps);
    const leftOut = [...needed.flatMap((one) => one.leftOut), ...this.#leftOutOf(output, gathered)];
    const found = joined(output, gathered.results, inputs);
    if (found !== undefined) return { outputs: together(found, 'the output'), steps, leftOut };
    throw this.#noAnswer(steps, leftOut);
  }

  async #decide(index: number): Promise<Decided<M>> {
    const { graph, inputs, place, run } = this.#parts;
    const compiled = graph.nodes[index];
    if (compiled === undefined) throw new MillraceError('INTERNAL', `the graph has no node ${index}`);
    const { node, waits } = compiled;
    const isWanted = graph.windowed || place.isWanted !== undefined ? () => this.#isWanted(index) : undefined;
    const gathered = await this.#gather(index, waits);
    const { needs, results } = gathered;
    const leftOut = this.#leftOutOf(waits, gathered);
    const found = joined(waits, results, inputs);
    let decided: Decided<M> = { needs, leftOut, steps: [], tensors: undefined };
    if (found !== undefined && isWanted?.() !== false) {
      const at = `${place.path}${node.name}`;
      try {
        const ran = await run(compiled, found, { path: at, round: `${place.round}${node.name}`, isWanted });
        decided = { ...ran, needs, leftOut: leftOut.length === 0 ? ran.leftOut : [...leftOut, ...ran.leftOut] };
      } catch (error) {
        throw failureAt(at, error);
      }
    }
    this.#decided[index] = decided;
    return decided;
  }

  async #gather(index: number, waits: Waits): Promise<Gathered<Decided<M>>> {
    const { inputs, leftOut } = this.#parts;
    const gathered = await gather(waits, {
      running: this.#running,
      request: inputs,
      clock: leftOut.clock,
      isLeftOut: ({ from }) => leftOut.has(this.#pathOf(waits), from),
    });
    this.#ready.add(index);
    return gathered;
  }

  /** Whether one waits for the node who does not leave it out, and is waited for itself. */
  #isWanted(index: number): boolean {
    const { graph, place, leftOut } = this.#parts;
    if (place.isWanted?.() === false) return false;
    if (!graph.windowed) return true;
    return (graph.takers[index] ?? []).some((taker) => {
      if (this.#ready.has(taker)) return false;
      const waits = graph.nodes[taker]?.waits ?? graph.output;
      const takes = [...waits.inputs, ...waits.triggers].some(
        (source) => source.index === index && !leftOut.has(this.#pathOf(waits), source.from),
      );
      return takes && (taker === graph.nodes.length || this.#isWanted(taker));
    });
  }

  /** Those that the output waited for, directly or not, in the order of the graph. All of them are decided. */
  #needed(needs: readonly number[]): readonly Decided<M>[] {
    if (!this.#parts.graph.windowed) return this.#decided;
    const found = new Set<number>();
    const visit = (index: number): void => {
      if (found.has(index)) return;
      found.add(index);
      for (const before of this.#decided[index]?.needs ?? []) visit(before);
    };
    for (const index of needs) visit(index);
    return this.#decided.filter((_, index) => found.has(index));
  }

  #pathOf(waits: Waits): string {
    return `${this.#parts.place.round}${waits.name}`;
  }

  #leftOutOf(waits: Waits, { leftOut }: Gathered<unknown>): readonly LeftOut[] {
    if (leftOut.length === 0) return [];
    const inputs = [...new Set(leftOut.map(({ from }) => from))];
    return inputs.map((input) => ({ node: this.#pathOf(waits), input, rows: [] }));
  }

  #noAnswer(steps: readonly GraphStep<M>[], leftOut: readonly LeftOut[]): MillraceError {
    const { path } = this.#parts.place;
    const what = `no node led to the output${path === '' ? '' : ` of '${path.slice(0, -1)}'`}`;
    const ran = steps.map(({ node, chose }) => (chose.length === 0 ? node : `${node} (chose ${chose.join(', ')})`));
    const ways = ran.length === 0 ? 'none ran' : `these ran: ${ran.join(', ')}`;
    if (leftOut.length === 0) return new MillraceError('NO_ANSWER', `${what}; ${ways}`);
    const late = leftOut.map(({ node, input }) => `'${input}' of ${node === path ? 'the output' : `'${node}'`}`);
    return new MillraceError(
      'TIMEOUT',
      `${what}; ${ways}; not there within joinWindowMs: ${late.join(', ')}; widen the window, or let another way lead to the output`,
    );
  }
}

function failureAt(node: string, error: unknown): unknown {
  if (error instanceof RowsDisagree) return error;
  if (!(error instanceof MillraceError))
    return new MillraceError('INTERNAL', `node '${node}': ${messageOf(error)}`, { cause: error, details: { node } });
  if (error.details['node'] !== undefined) return error;
  return new MillraceError(error.code, `node '${node}': ${error.message}`, {
    cause: error,
    details: { ...error.details, node },
  });
}

/** A graph, looked up: what lies in a scope, who opens it, and the ids of its tasks. */
import { type FlowGraph, type GraphStep, isPoint, isTask, type Point, scopesOf } from './flow-graph.ts';

/** A scope as it is walked: which one, and the item, round or rank of each indexed scope around it, outermost first. */
export interface Walk {
  readonly scope: string;
  readonly index: readonly number[];
}

const indexes = new WeakMap<FlowGraph, GraphIndex>();

export class GraphIndex {
  readonly #steps = new Map<string, GraphStep>();
  readonly #inside = new Map<string, GraphStep[]>();
  readonly #owners = new Map<string, Point>();
  readonly #depths = new Map<string, number>();

  private constructor({ steps }: FlowGraph) {
    for (const step of steps) {
      this.#steps.set(step.name, step);
      this.#inside.set(step.scope, [...(this.#inside.get(step.scope) ?? []), step]);
      if (isPoint(step)) for (const scope of scopesOf(step)) this.#owners.set(scope, step);
    }
  }

  /** Kept for as long as the graph is. */
  static of(graph: FlowGraph): GraphIndex {
    const known = indexes.get(graph);
    if (known !== undefined) return known;
    const index = new GraphIndex(graph);
    indexes.set(graph, index);
    return index;
  }

  step(name: string): GraphStep | undefined {
    return this.#steps.get(name);
  }

  /** Steps of a scope in order. */
  inside(scope: string): readonly GraphStep[] {
    return this.#inside.get(scope) ?? [];
  }

  /** The point that opens a scope; undefined for the root. */
  owner(scope: string): Point | undefined {
    return this.#owners.get(scope);
  }

  /** Some task inside this point, however deep, is memoised. */
  remembersInside(point: Point): boolean {
    return scopesOf(point).some((scope) =>
      this.inside(scope).some(
        (step) => (isTask(step) && step.memoise !== undefined) || (isPoint(step) && this.remembersInside(step)),
      ),
    );
  }

  /** Indexed scopes from the root to this one, it included. */
  depth(scope: string): number {
    const known = this.#depths.get(scope);
    if (known !== undefined) return known;
    const owner = this.owner(scope);
    const depth = owner === undefined ? 0 : this.depth(owner.scope) + (isIndexed(owner) ? 1 : 0);
    this.#depths.set(scope, depth);
    return depth;
  }

  /** The walk around a walk. */
  parent({ scope, index }: Walk): Walk | undefined {
    const owner = this.owner(scope);
    return owner === undefined ? undefined : { scope: owner.scope, index: index.slice(0, this.depth(owner.scope)) };
  }

  /** `rows.3.fit`: the names with each index behind the point that it belongs to. */
  walkId(walk: Walk): string {
    const owner = this.owner(walk.scope);
    const around = this.parent(walk);
    if (owner === undefined || around === undefined) return '';
    const id = this.stepId(around, owner);
    if (isIndexed(owner)) return `${id}.${walk.index.at(-1) ?? 0}`;
    return `${id}.${walk.scope.slice(owner.name.length + 1)}`;
  }

  /** Id of a step's task, or of a point, within a walk of its scope. A branch of one step is called like its scope. */
  stepId(walk: Walk, { name, scope }: Pick<GraphStep, 'name' | 'scope'>): string {
    const id = this.walkId(walk);
    if (name === scope) return id;
    return scope === '' ? name : `${id}.${name.slice(scope.length + 1)}`;
  }
}

export function isIndexed({ kind }: Point): boolean {
  return kind === 'foreach' || kind === 'repeat' || kind === 'gang';
}

/** Step names never begin with a digit, so what does is an index. */
export function nameOfId(id: string): string {
  return id
    .split('.')
    .filter((part) => !isDigits(part))
    .join('.');
}

export function indexOfId(id: string): readonly number[] {
  return id.split('.').filter(isDigits).map(Number);
}

/** An id and all that it lies in: `a`, `a.3`, `a.3.b` for `a.3.b`. */
export function prefixesOfId(id: string): readonly string[] {
  const prefixes: string[] = [];
  for (let at = id.indexOf('.'); at >= 0; at = id.indexOf('.', at + 1)) prefixes.push(id.slice(0, at));
  if (id !== '') prefixes.push(id);
  return prefixes;
}

function isDigits(part: string): boolean {
  const first = part.charCodeAt(0);
  return first >= 48 && first <= 57;
}

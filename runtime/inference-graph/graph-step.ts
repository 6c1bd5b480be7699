/** What is recorded of a node that ran. */
import type { GraphNode } from '../../schemas/inference-graph.ts';

export interface GraphStep<M> {
  /** Within other nodes: `<graph>/<node>`, `<function>/<model's name>`. */
  readonly node: string;
  readonly kind: GraphNode['kind'];
  readonly model: M | undefined;
  readonly rows: number;
  readonly queueMs: number;
  readonly runMs: number;
  /** Branches of a router. */
  readonly chose: readonly string[];
}

/** Steps of one node as one, in the order in which the nodes are there first. */
export function mergeSteps<M>(steps: readonly GraphStep<M>[]): readonly GraphStep<M>[] {
  const merged = new Map<string, GraphStep<M>>();
  for (const step of steps) {
    const before = merged.get(step.node);
    merged.set(
      step.node,
      before === undefined
        ? step
        : {
            ...before,
            rows: before.rows + step.rows,
            queueMs: Math.max(before.queueMs, step.queueMs),
            runMs: Math.max(before.runMs, step.runMs),
            chose: [...new Set([...before.chose, ...step.chose])],
          },
    );
  }
  return [...merged.values()];
}

/** What a model file may hold at most: far above what exporters write, far below what hurts. Everything is linear in these. */
export const limits = {
  /** Protobuf's own. */
  fileBytes: 2 ** 31 - 1,
  /** Graphs inside of graphs. */
  graphDepth: 32,
  /** Types inside of types (sequence of map of …). */
  typeDepth: 8,
  rank: 32,
  /** Values of one tensor or one declared shape: a float tensor of 8 GiB. */
  elements: 2n ** 31n,
  /** Values that a sparse tensor has when it is unfolded, which the runtime does while it loads. */
  sparseElements: 2n ** 24n,
  /** Over all graphs and functions. */
  nodes: 100_000,
  /** Constants, declared values and names that nodes read or write, over all graphs and functions. */
  values: 1_000_000,
  functions: 2_000,
  /** Nodes after every call of a function of the model is replaced by its body, which the runtime does while it loads. */
  nodesUnfolded: 1_000_000,
  operatorSets: 256,
} as const;

/** Counts over the whole file. */
export class Tally {
  nodes = 0;
  values = 0;
}

import type { TopicName } from '../../schemas/topics.ts';
import type { FoldTarget } from './fold-core.ts';
import { nothing, type RawInput, type RawTopology, type Reads, type Topology } from './topology.ts';

const noReads: Reads = {};

/** Hides whether a topology folds decoded events or raw records. */
export function foldTarget(topology: Topology | RawTopology): FoldTarget {
  return {
    name: topology.name,
    version: topology.version,
    input: inputOf(topology),
    reads: (input) => topology.reads?.(input as never) ?? noReads,
    fold: (input, state) => topology.fold(input as never, state),
    onTimer: (timer, state) => topology.onTimer?.(timer, state) ?? nothing,
  };
}

export function isRaw(topology: Topology | RawTopology): topology is RawTopology {
  return 'rawInput' in topology;
}

export function inputOf(topology: Topology | RawTopology): TopicName {
  return isRaw(topology) ? topology.rawInput : topology.input;
}

export type { RawInput };

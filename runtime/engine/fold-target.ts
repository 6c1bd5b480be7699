import type { TopicName } from '../../schemas/topics.ts';
import type { FoldTarget } from './fold-core.ts';
import { type AnyTopology, idWindowDefault, nothing, type RawTopology, type Reads } from './topology.ts';

const noReads: Reads = {};

/** Hides whether a topology folds decoded events or raw records. */
export function foldTarget(topology: AnyTopology): FoldTarget {
  const target = topology as unknown as Omit<FoldTarget, 'input' | 'reads' | 'onTimer'> &
    Partial<Pick<FoldTarget, 'reads' | 'onTimer'>>;
  return {
    name: topology.name,
    version: topology.version,
    input: inputOf(topology),
    reads: (input) => target.reads?.(input) ?? noReads,
    fold: (input, state) => target.fold(input, state),
    onTimer: (timer, state) => target.onTimer?.(timer, state) ?? nothing,
  };
}

export function isRaw(topology: AnyTopology): topology is RawTopology {
  return 'rawInput' in topology;
}

export function inputOf(topology: AnyTopology): TopicName {
  return isRaw(topology) ? topology.rawInput : topology.input;
}

/** Raw records are not judged by their ids. */
export function idWindowOf(topology: AnyTopology): number {
  return isRaw(topology) ? 0 : (topology.idWindow ?? idWindowDefault);
}

import type { FlowTrigger } from './flow-triggers.ts';
import { awaited } from './trigger-match.ts';

/** Who waits for whose end, by deployed name. */
export type WaitingFor = ReadonlyMap<string, ReadonlySet<string>>;

export function waitingFor(
  flows: readonly { readonly flow: string; readonly triggers: readonly FlowTrigger[] }[],
): WaitingFor {
  return new Map(flows.map(({ flow, triggers }) => [flow, awaited(triggers, flow).flows]));
}

/**
 * A loop through `flow`, from it along the ends that start the next one, back to it: `a → b → a` is `['a', 'b', 'a']`; undefined when
 * there is none. A loop that does not go through `flow` was refused when its last flow was deployed.
 */
export function cycleThrough(flow: string, waits: WaitingFor): readonly string[] | undefined {
  const visited = new Set<string>();
  // Depth first, against the direction of the starts.
  const search = (at: string, path: readonly string[]): readonly string[] | undefined => {
    for (const upstream of waits.get(at) ?? []) {
      if (upstream === flow) return [flow, ...path];
      if (visited.has(upstream)) continue;
      visited.add(upstream);
      const found = search(upstream, [upstream, ...path]);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return search(flow, [flow]);
}

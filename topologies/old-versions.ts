/**
 * What is kept per version of a deployment is let go a week after the first rows of a newer version, or after the last rows of its own that
 * came later than those.
 */
import type { Effects, RangeRead, StateView, TimerSpec } from '../runtime/engine/topology.ts';

const keptMs = 7 * 86_400_000;
const keysMax = 10_000;
const timerPrefix = 'old/';

interface Of {
  readonly deployment: string;
  readonly deploymentVersion: number;
}

/** State key of the newest version of a deployment. */
export const newestKey = ({ deployment }: Of): string => `v/${deployment}`;

/** Notes a newer version, and when an older one goes. `prefixes`: of all that is kept for a version. */
export function noteVersion(
  of: Of,
  state: StateView,
  timeMs: number,
  prefixes: (of: Of) => readonly string[],
): Pick<Effects, 'put' | 'setTimers'> {
  const { deployment, deploymentVersion } = of;
  const newest = state.get<number>(newestKey(of)) ?? 0;
  if (deploymentVersion === newest) return {};
  if (deploymentVersion < newest) return { setTimers: [goneBy(of, timeMs + keptMs, prefixes)] };
  const put: Effects['put'] = [[newestKey(of), deploymentVersion]];
  return newest === 0
    ? { put }
    : { put, setTimers: [goneBy({ deployment, deploymentVersion: newest }, timeMs + keptMs, prefixes)] };
}

function goneBy(of: Of, dueMs: number, prefixes: (of: Of) => readonly string[]): TimerSpec {
  const ranges = prefixes(of).map((prefix) => ({ prefix, limit: keysMax }));
  return { name: `${timerPrefix}${of.deployment}/${of.deploymentVersion}`, dueMs, reads: { ranges } };
}

/** Serves the timers of old versions; undefined for any other. What `isOpen` waits another week. */
export function dropOldVersion(
  timer: TimerSpec & { readonly timeMs: number },
  state: StateView,
  isOpen: (value: unknown) => boolean = () => false,
): Effects | undefined {
  if (!timer.name.startsWith(timerPrefix)) return undefined;
  const { name, reads = {} } = timer;
  const held = (reads.ranges ?? []).flatMap(({ prefix }: RangeRead) => state.range<unknown>(prefix));
  if (held.some(([, value]) => isOpen(value))) return { setTimers: [{ name, dueMs: timer.timeMs + keptMs, reads }] };
  return { delete: held.map(([key]) => key), count: { oldVersionsDropped: 1 } };
}

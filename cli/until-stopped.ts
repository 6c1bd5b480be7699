import { onInterrupt } from './interrupt.ts';

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process at once. */
export async function untilStopped(): Promise<void> {
  // Signals alone do not keep Node alive.
  const alive = setInterval(() => undefined, 60_000);
  await new Promise<void>((resolve) => void onInterrupt(resolve));
  clearInterval(alive);
}

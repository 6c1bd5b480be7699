/**
 * Outputs of several computations: who is done within a moment is said at the end, together; what is done while others go on for longer is
 * said meanwhile, so that a quick verdict does not wait for a slow one. All have ids, so what is said and then repeated by a crash counts once.
 */
import type { IdentifiedOutput } from '../../runtime/engine/service.ts';
import type { Clock } from '../../runtime/ports/clock.ts';

/** A moment: less than anybody waits for, and more than most computations take. */
const everyMs = 250;

interface Saying {
  readonly clock: Clock;
  /** Resolves when they are on the log. */
  say(outputs: readonly IdentifiedOutput[]): Promise<unknown>;
}

/** Answers all results in their order, and the outputs that are still to be said. Rejects when a computation does, or a saying. */
export async function sayAsTheyCome<R extends { readonly outputs: readonly IdentifiedOutput[] }>(
  computations: readonly Promise<R>[],
  { clock, say }: Saying,
): Promise<{ readonly all: readonly R[]; readonly rest: readonly IdentifiedOutput[] }> {
  const done: IdentifiedOutput[] = [];
  const ended = Promise.all(
    computations.map(async (computation) => {
      const result = await computation;
      done.push(...result.outputs);
      return result;
    }),
  );
  for (;;) {
    let cancel = (): void => undefined;
    const moment = new Promise<undefined>((resolve) => {
      cancel = clock.after(everyMs, () => resolve(undefined));
    });
    try {
      const all = await Promise.race([ended, moment]);
      if (all !== undefined) return { all, rest: done };
    } finally {
      cancel();
    }
    if (done.length > 0) await say(done.splice(0));
  }
}

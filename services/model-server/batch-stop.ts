/** The end of a batch whose partition goes to another server, or whose process ends: what has begun may finish, nothing begins any more. */
import { type Clock, MillraceError } from '../../runtime/ports/index.ts';
import type { Outcome } from './outcomes.ts';
import type { RunTerms } from './micro-batcher.ts';

/** Why a request was not begun. No outcome: whoever reads the partition next has it again. */
const stopped = new MillraceError(
  'CLOSED',
  'the server gives the partition back: who reads it next answers the request',
);

/** How long calls of models that have begun may take to end a batch in order. */
const drainMs = 5_000;

const termsOf = new WeakMap<AbortSignal, RunTerms>();

/** Of requests by topic; they end when the signal says so. */
export function streamedTerms(signal: AbortSignal): RunTerms {
  let terms = termsOf.get(signal);
  if (terms === undefined) {
    terms = { waits: true, gone: () => stoppedBy(signal) };
    termsOf.set(signal, terms);
  }
  return terms;
}

export function stoppedBy(signal: AbortSignal | undefined): MillraceError | undefined {
  return signal?.aborted === true ? stopped : undefined;
}

export function isStopped(outcome: Outcome): boolean {
  return outcome.type === 'failed' && outcome.error === stopped;
}

/** All outcomes of a batch. Rejects, so that nothing of it is said or committed, when the signal kept one of them from being made. */
export async function untilStopped(
  outcomes: Promise<readonly Outcome[]>,
  signal: AbortSignal,
  clock: Clock,
): Promise<readonly Outcome[]> {
  let cancel = (): void => undefined;
  let stop = (): void => undefined;
  const late = new Promise<never>((_, reject) => {
    stop = () => {
      cancel = clock.after(drainMs, () => reject(stopped));
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    const all = await Promise.race([outcomes, late]);
    if (all.some(isStopped)) throw stopped;
    return all;
  } finally {
    cancel();
    signal.removeEventListener('abort', stop);
  }
}

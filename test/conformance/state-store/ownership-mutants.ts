import { hasCode } from '../../../runtime/ports/errors.ts';
import type { StateBatch } from '../../../runtime/ports/state-store.ts';
import { changeTasks, force, type Mutants, type TaskContext } from './break-store.ts';
import type { BreakStore } from './memory-harness.ts';

/** What this owner believes: its last commit's position and sequence. */
interface Known {
  position: number | undefined;
  sequence: number;
}

/** A store that writes a refused batch all the same where `accepts` says so. */
const accepting = (
  accepts: (context: TaskContext, known: Known, expected: number | undefined) => boolean,
): BreakStore =>
  changeTasks((context) => {
    const known: Known = { position: context.inner.position, sequence: context.stored().sequence };
    return {
      commit: async (expected, batch) => {
        try {
          await context.inner.commit(expected, batch);
          known.position = batch.position;
          known.sequence = context.stored().sequence;
        } catch (error) {
          if (!hasCode(error, 'FENCED') || !accepts(context, known, expected)) throw error;
          force(context.stored(), batch);
        }
      },
    };
  });

const isLost = ({ inner, storage }: TaskContext): boolean => !storage.tasks.has(inner.task);
const isOwner = (context: TaskContext): boolean =>
  !isLost(context) && context.stored().epoch === context.inner.epoch && context.stored().nonce === context.inner.nonce;
const wasReset = (context: TaskContext): boolean => context.stored().nonce === '';

/** Broken stores for the cases of ownership. */
export const ownershipMutants: Mutants = {
  'accepts an older epoch': accepting(
    (context) => !isLost(context) && !wasReset(context) && context.stored().epoch > context.inner.epoch,
  ),
  'accepts another nonce': accepting(
    (context) => !isLost(context) && !isOwner(context) && context.stored().epoch === context.inner.epoch,
  ),
  'ignores the expected position': changeTasks(({ inner }) => {
    let { position } = inner;
    return {
      commit: async (_: number | undefined, batch: StateBatch) => {
        await inner.commit(position, batch);
        position = batch.position;
      },
      restore: async (restored, entries) => {
        await inner.restore(restored, entries);
        position = restored;
      },
    };
  }),
  'goes back while open': accepting(
    (context, known, expected) =>
      isOwner(context) && expected === known.position && context.stored().position !== known.position,
  ),
  'goes back by a commit at the same position': accepting(
    (context, known, expected) =>
      isOwner(context) &&
      expected === known.position &&
      context.stored().position === known.position &&
      context.stored().sequence !== known.sequence,
  ),
  'begins anew after a loss': accepting(isLost),
  'writes values of a refused commit': changeTasks(({ inner, stored }) => ({
    commit: (expected, batch) =>
      inner.commit(expected, batch).catch((error: unknown) => {
        if (hasCode(error, 'FENCED')) for (const [key, value] of batch.put) stored().values.set(key, value);
        throw error;
      }),
  })),
};

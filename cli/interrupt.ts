import { exitCode } from './exit-codes.ts';

const signals = ['SIGINT', 'SIGTERM'] as const;

/**
 * Takes SIGINT and SIGTERM over from whoever listens: the first one calls `first`, the next one `leaving` and ends the process at once with
 * 130. Answers how the listeners of before get them back.
 */
export function onInterrupt(first: () => void, leaving: () => void = () => undefined): () => void {
  const before = signals.map((signal) => ({ signal, listeners: process.listeners(signal) }));
  let asked = false;
  const take = (): void => {
    if (asked) {
      leaving();
      process.exit(exitCode.interrupted);
    }
    asked = true;
    first();
  };
  for (const signal of signals) process.removeAllListeners(signal).on(signal, take);
  return () => {
    for (const { signal, listeners } of before) {
      process.off(signal, take);
      for (const listener of listeners) process.on(signal, listener);
    }
  };
}

/**
 * Calls `late` when an answer of another thread or server has not come within `limitMs`. Timers that are due run before messages that came
 * while this thread was busy: such an answer was in time, and is heard first. Returns what ends the wait.
 */
export function limitAnswer(limitMs: number, late: () => void): () => void {
  let ended = false;
  const timer = setTimeout(
    () =>
      setImmediate(() => {
        if (!ended) late();
      }),
    limitMs,
  );
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}

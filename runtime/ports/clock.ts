/** Wall-clock time and waiting; folds never see it (their time is the log's append time). */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls back once after at least `delayMs`; the answer cancels it. Never keeps a process alive by itself. */
  after(delayMs: number, callback: () => void): () => void;
}

/** Node fires a longer timer at once. */
const timerMsMax = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (delayMs, callback) => {
    let timer: NodeJS.Timeout;
    const wait = (leftMs: number): void => {
      const longer = leftMs > timerMsMax;
      timer = setTimeout(longer ? () => wait(leftMs - timerMsMax) : callback, longer ? timerMsMax : leftMs);
      timer.unref();
    };
    wait(delayMs);
    return () => clearTimeout(timer);
  },
};

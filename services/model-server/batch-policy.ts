/**
 * Chooses how many rows go into one call of a model, and how long a model that has become free waits for more, from what is measured: the time
 * of a call, `a` and `b` for each row (least squares over recent calls), and how many requests come within a part of `a` after a call has ended.
 *
 * - Rows: as many as make `a` 5 % of the call, within 50 ms; more gain nothing and keep others waiting.
 * - Wait: clients that got their answers ask again at once, and find the model begun with those who came before them. With n requests there, waiting
 *   a time w for m more saves those m the rest of the call, `m (a + b n - w)`, and costs `n (w + b m)`. It is done when it saves more than it costs,
 *   for the best of an eighth, a quarter or half of `a`, until the m are there. Requests that come whenever they like are not waited for: the
 *   measured m is then small, and what arrives during a call shares the next one anyway.
 */
export interface BatchPolicy {
  /** Rows that one call may have; a larger request is run whole. */
  readonly rowsMax: number;
  arrived(nowMs: number): void;
  called(rows: number, runMs: number, endedMs: number): void;
  /** What a free model with these requests and rows waits for; undefined: it begins. */
  hold(requests: number, rows: number, nowMs: number): Hold | undefined;
  /** Expected time of a call with so many rows, milliseconds; 0: not known. */
  callMs(rows: number): number;
}

export interface Hold {
  /** It begins as soon as that many are there … */
  readonly requests: number;
  readonly rows: number;
  /** … or after that time. */
  readonly waitMs: number;
}

/** `rowsMax` rows, for which a free model waits `waitMs`. */
export function fixedBatches(rowsMax: number, waitMs = 0): BatchPolicy {
  const measured = new AdaptiveBatches();
  return {
    rowsMax,
    arrived: () => undefined,
    called: (rows, runMs, endedMs) => measured.called(rows, runMs, endedMs),
    callMs: (rows) => measured.callMs(rows),
    hold: (_, rows) =>
      waitMs === 0 || rows >= rowsMax ? undefined : { requests: Number.POSITIVE_INFINITY, rows: rowsMax, waitMs },
  };
}

/** Weight that a call keeps with each later one: about the last hundred count. */
const callDecay = 0.98;
const windowShares = [1 / 8, 1 / 4, 1 / 2] as const;
/** Of what came in a window after a call: about the last eight calls count. */
const arrivalShare = 1 / 8;
/** Saving must exceed costs by that much: what is measured is a guess. */
const margin = 1.25;
const fixedShare = 0.05;
const callMsMax = 50;
const rowsLimits = { unknown: 512, atLeastUnknown: 64, most: 4_096, least: 8 };

export class AdaptiveBatches implements BatchPolicy {
  #weight = 0;
  #rows = 0;
  #ms = 0;
  #rowsRows = 0;
  #rowsMs = 0;
  #rowsMax = rowsLimits.unknown;
  #fixedMs = 0;
  #rowMs = 0;
  /** Calls differed enough in size to tell the fixed part from that of the rows. */
  #known = false;
  #endedMs = Number.NEGATIVE_INFINITY;
  /** Requests since the last call ended. */
  #arrived = 0;
  readonly #windows = windowShares.map((share) => ({ share, count: 0, usual: 0 }));

  get rowsMax(): number {
    return this.#rowsMax;
  }

  arrived(nowMs: number): void {
    const since = nowMs - this.#endedMs;
    this.#arrived += 1;
    if (since > this.#fixedMs / 2) return;
    for (const window of this.#windows) if (since <= window.share * this.#fixedMs) window.count += 1;
  }

  called(rows: number, runMs: number, endedMs: number): void {
    // A collection of garbage or a busy neighbour says nothing about the model.
    const ms = this.#weight < 8 ? runMs : Math.min(runMs, 4 * this.callMs(rows));
    this.#weight = this.#weight * callDecay + 1;
    this.#rows = this.#rows * callDecay + rows;
    this.#ms = this.#ms * callDecay + ms;
    this.#rowsRows = this.#rowsRows * callDecay + rows * rows;
    this.#rowsMs = this.#rowsMs * callDecay + rows * ms;
    this.#fit();
    for (const window of this.#windows) {
      window.usual += (window.count - window.usual) * arrivalShare;
      window.count = 0;
    }
    this.#endedMs = endedMs;
    this.#arrived = 0;
  }

  hold(requests: number, rows: number, nowMs: number): Hold | undefined {
    const since = nowMs - this.#endedMs;
    if (this.#fixedMs === 0 || rows >= this.#rowsMax || since > this.#fixedMs / 2) return undefined;
    const rowMs = (this.#rowMs * rows) / requests;
    let best: Hold | undefined;
    let most = 0;
    for (const { share, usual } of this.#windows) {
      const waitMs = share * this.#fixedMs - since;
      const more = usual - this.#arrived;
      if (waitMs <= 0 || more < 0.5) continue;
      const saved = more * (this.#fixedMs + this.#rowMs * rows - waitMs);
      const cost = requests * (waitMs + rowMs * more);
      if (saved < margin * cost || saved - cost <= most) continue;
      most = saved - cost;
      best = { requests: requests + Math.ceil(more), rows: this.#rowsMax, waitMs };
    }
    return best;
  }

  callMs(rows: number): number {
    if (this.#known) return this.#fixedMs + this.#rowMs * rows;
    return this.#rows === 0 ? 0 : (this.#ms / this.#rows) * Math.max(rows, this.#rows / this.#weight);
  }

  #fit(): void {
    const rows = this.#rows / this.#weight;
    const ms = this.#ms / this.#weight;
    const variance = this.#rowsRows / this.#weight - rows * rows;
    this.#known = this.#weight > 3 && variance > 0.01 * rows * rows;
    const { unknown, atLeastUnknown, most, least } = rowsLimits;
    if (!this.#known) {
      // All of the time may be that of the rows: what the calls show is the least.
      this.#rowsMax = Math.floor(Math.min(unknown, Math.max(atLeastUnknown, (callMsMax * rows) / ms)));
      // Half and half until a wait or a pause makes calls of another size, which tell.
      this.#fixedMs = this.#weight <= 3 ? 0 : ms / 2;
      this.#rowMs = this.#fixedMs / rows;
      return;
    }
    const slope = (this.#rowsMs / this.#weight - rows * ms) / variance;
    this.#rowMs = Math.min(Math.max(0, slope), ms / rows);
    this.#fixedMs = ms - this.#rowMs * rows;
    const amortised = this.#fixedMs / (fixedShare * this.#rowMs);
    this.#rowsMax = Math.floor(Math.max(1, Math.min(most, Math.max(least, amortised), callMsMax / this.#rowMs)));
  }
}

import type { Clock } from '../ports/clock.ts';
import type { LogRecord } from '../ports/log.ts';
import { header, textHeader } from './envelope.ts';

/**
 * The log's clock as far as this process can tell: timers are due by append times, and the clocks of brokers and owners may differ by
 * an hour. An owner that asked its own clock would write tick after tick until the log's clock has caught up.
 */
export class LogTime {
  readonly #clock: Clock;
  /** Log's clock minus ours, milliseconds. */
  #aheadMs = 0;
  #tick: { readonly id: string; readonly atMs: number } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now() + this.#aheadMs;
  }

  /** A tick goes out; its append time, when it comes back, tells what the log's clock says now. */
  sent(id: string): void {
    this.#tick = { id, atMs: this.#clock.now() };
  }

  /** Records of one batch, as they came. */
  saw(records: readonly LogRecord[]): void {
    const last = records.at(-1);
    if (last === undefined) return;
    const sent = this.#tick;
    const tick = sent === undefined ? undefined : records.find((record) => textHeader(record, header.id) === sent.id);
    if (sent !== undefined && tick !== undefined) {
      this.#aheadMs = tick.timestampMs - sent.atMs;
      this.#tick = undefined;
    }
    // A record is never seen before it was appended.
    this.#aheadMs = Math.max(this.#aheadMs, last.timestampMs - this.#clock.now());
  }
}

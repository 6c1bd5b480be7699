import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';
import type { Ids } from '../ports/ids.ts';

const randomBytes = 16;
/** Asking the system for randomness costs more than an id: one question is for so many. */
const pool = Buffer.allocUnsafe(randomBytes * 256);
const bytes = Buffer.alloc(16);
let taken = pool.length;
let msecs = Number.NEGATIVE_INFINITY;
let seq = 0;

/** UUIDv7 (RFC 9562, section 5.7) without dashes. Ids of one millisecond count up from a random number (section 6.2, method 1). */
export const uuidIds: Ids = {
  next: () => {
    if (taken === pool.length) {
      randomFillSync(pool);
      taken = 0;
    }
    const random = pool.subarray(taken, (taken += randomBytes));
    const now = Date.now();
    if (now > msecs) {
      msecs = now;
      seq = random.readUInt32BE(6) & 0x7f_ff_ff_ff;
    } else {
      seq = (seq + 1) | 0;
      // Never after four thousand million ids in a millisecond; when the clock was set back, perhaps.
      if (seq === 0) msecs += 1;
    }
    return v7({ random, msecs, seq }, bytes).toString('hex');
  },
};

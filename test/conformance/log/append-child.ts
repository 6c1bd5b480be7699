import { writeSync } from 'node:fs';
import type { Log } from '../../../runtime/ports/log.ts';
import { childRecord } from './append-child-records.ts';
import { mutants } from './mutants.ts';

/**
 * Appends until it is killed: calls of 1 to 7 records, up to 8 calls at once, and tells each acknowledged one on a line.
 * Arguments: module of the adapter, its opening function, the options as JSON, the topic, the name of a mutant or nothing.
 */
const [modulePath = '', openName = '', options = '{}', topic = '', mutant = ''] = process.argv.slice(2);
const adapter = (await import(modulePath)) as Record<string, (options: unknown) => Promise<Log>>;
const opened = await adapter[openName]!(JSON.parse(options));
const log = mutants[mutant]?.(opened) ?? opened;

let next = 0;
const underWay: Promise<void>[] = [];
for (;;) {
  const first = next;
  next += 1 + (first % 7);
  const records = Array.from({ length: next - first }, (_, index) => childRecord(topic, first + index));
  const call = log.append(records).then((offsets) => {
    tell(`${JSON.stringify({ first, offsets })}\n`);
  });
  underWay.push(call);
  if (underWay.length >= 8) await underWay.shift();
}

/** Told when it returns: a line that waits in this process would die with it. */
function tell(line: string): void {
  for (let rest = Buffer.from(line); rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      // The reader is behind.
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
    }
  }
}

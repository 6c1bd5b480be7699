import type { LogRecord, OutgoingRecord } from '../../../runtime/ports/log.ts';

/** Record number n of `append-child.ts` goes to partition n % 2; its value is n, and n many times, so that half of it would show. */
export const childRecord = (topic: string, number: number): OutgoingRecord => ({
  topic,
  partition: number % 2,
  key: String(number),
  value: Buffer.from(`${number};`.repeat(1 + (number % 40))),
  headers: { number: String(number) },
});

/** The number of a record that was read, when key, value and header agree. */
export function checkChildRecord({ topic, key, value, headers }: LogRecord): number {
  const number = Number(key?.toString('utf8'));
  const whole = childRecord(topic, number);
  if (!(value?.equals(whole.value!) ?? false)) throw new Error(`Record ${number} has another value.`);
  if (headers['number']?.toString('utf8') !== String(number)) throw new Error(`Record ${number} has another header.`);
  return number;
}

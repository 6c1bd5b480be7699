import { randomInt } from 'node:crypto';

/** What the store keeps of a task beside its values. */
export interface Mark {
  readonly epoch: number;
  readonly nonce: string;
  readonly position: number | undefined;
  /** First four characters of this task's keys. */
  readonly prefix: string;
}

export function encodeMark(mark: Mark): Buffer {
  const bytes = Buffer.allocUnsafe(20 + mark.nonce.length);
  bytes.writeDoubleBE(mark.epoch, 0);
  bytes.writeDoubleBE(mark.position ?? -1, 8);
  bytes.write(mark.prefix, 16, 'latin1');
  bytes.write(mark.nonce, 20, 'latin1');
  return bytes;
}

export function decodeMark(bytes: Buffer): Mark {
  const position = bytes.readDoubleBE(8);
  return {
    epoch: bytes.readDoubleBE(0),
    position: position < 0 ? undefined : position,
    prefix: bytes.toString('latin1', 16, 20),
    nonce: bytes.toString('latin1', 20),
  };
}

/** First of a run of versions that no other owner of the task draws: whole numbers that a double holds exactly. */
export const newVersion = (): number => randomInt(1, 2 ** 47) * 2 ** 5;

export const latin1Keys = {
  writeKey: (key: string, target: Buffer, start: number): number => start + target.write(key, start, 'latin1'),
  readKey: (source: Buffer, start: number, end: number): string => source.toString('latin1', start, end),
};

/** Past every key of a prefix: keys are ASCII. */
export const endOfPrefix = (prefix: string): string => `${prefix}\xff`;

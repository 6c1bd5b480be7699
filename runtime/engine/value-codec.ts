/**
 * State values to bytes and back: MessagePack without msgpackr's record extension, so the same value gives the same bytes in
 * every process. NaN, infinities and Uint8Array survive. A property that is undefined is left out: read back, it is undefined again.
 */
import { type Options, Packr } from 'msgpackr';

/** `skipValues` is documented, but not in the types. */
const options: Options & { skipValues: readonly unknown[] } = {
  useRecords: false,
  variableMapSize: true,
  encodeUndefinedAsNil: true,
  skipValues: [undefined],
};
const packr = new Packr(options);

export function encodeValue(value: unknown): Buffer {
  return packr.pack(value);
}

export function decodeValue(bytes: Uint8Array): unknown {
  return packr.unpack(bytes) as unknown;
}

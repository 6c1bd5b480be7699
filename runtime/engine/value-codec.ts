/**
 * State values to bytes and back: MessagePack without msgpackr's record extension, so the same value gives the same bytes in
 * every process. NaN, infinities and Uint8Array survive.
 */
import { Packr } from 'msgpackr';

const packr = new Packr({ useRecords: false, variableMapSize: true, encodeUndefinedAsNil: true });

export function encodeValue(value: unknown): Buffer {
  return packr.pack(value);
}

export function decodeValue(bytes: Uint8Array): unknown {
  return packr.unpack(bytes) as unknown;
}

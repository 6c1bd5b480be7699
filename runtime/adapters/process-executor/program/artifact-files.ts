import { constants, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { decodeArtifact } from '../../../../schemas/codec/artifact-value.ts';
import { encodeNpy, NdArray, type NumberArray } from '../../../../schemas/codec/npy.ts';
import type { EncodedArtifact } from '../protocol.ts';

/** How the file of an artifact is called behind its name. */
export const extensions: Readonly<Record<string, string>> = {
  json: '.json',
  text: '.txt',
  bytes: '.bin',
  npy: '.npy',
  arrow: '.arrow',
  onnx: '.onnx',
};

/** An artifact as a program finds it. */
export interface ArtifactFile {
  readonly codec: string;
  /** Absolute. */
  readonly path: string;
}

/**
 * Writes an artifact as a file that needs no package of ours to be read. `json+bytes` becomes JSON beside an NPY file for each typed
 * array in it, named by the property `file` of what stands for it; a typed array alone is an NPY file.
 */
export function writeArtifactFile(directory: string, artifact: EncodedArtifact): ArtifactFile {
  const { name, codec, bytes, path } = artifact;
  mkdirSync(directory, { recursive: true });
  if (codec === 'json+bytes') return writeParts(directory, name, bytes ?? readFileSync(path ?? ''));
  const file = join(directory, `${name}${extensions[codec] ?? '.bin'}`);
  if (bytes !== undefined) writeFileSync(file, bytes);
  // a copy, because the program may write to it
  else copyFileSync(path ?? '', file, constants.COPYFILE_FICLONE);
  return { codec, path: file };
}

function writeParts(directory: string, name: string, bytes: Uint8Array): ArtifactFile {
  const value = decodeArtifact('json+bytes', bytes);
  const array = (part: unknown): NdArray => {
    if (part instanceof Uint8ClampedArray) return new NdArray(new Uint8Array(part));
    return new NdArray(part as NumberArray);
  };
  if (ArrayBuffer.isView(value)) {
    const path = join(directory, `${name}.npy`);
    writeFileSync(path, encodeNpy(array(value)));
    return { codec: 'npy', path };
  }
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const jsonLength = buffer.readUInt32BE(0);
  let at = 4 + jsonLength;
  let parts = 0;
  const json = JSON.parse(buffer.toString('utf8', 4, at), (_, item: unknown) => {
    const type = (item as { $millrace?: unknown } | null)?.$millrace;
    const length = (item as { bytes?: unknown } | null)?.bytes;
    if (typeof type !== 'string' || typeof length !== 'number') return item;
    at += (8 - (at % 8)) % 8;
    const part = buffer.subarray(at, at + length);
    at += length;
    const path = join(directory, `${name}.${parts++}.npy`);
    writeFileSync(path, encodeNpy(array(decodePart(type, part))));
    return { $millrace: type, file: basename(path) };
  }) as unknown;
  const path = join(directory, `${name}.json`);
  writeFileSync(path, JSON.stringify(json));
  return { codec: 'json', path };
}

/** One binary part by the name of its type, decoded by the codec itself. */
function decodePart(type: string, part: Buffer): unknown {
  const json = Buffer.from(JSON.stringify({ $millrace: type, bytes: part.length }));
  const head = Buffer.alloc(4 + json.length + ((8 - ((4 + json.length) % 8)) % 8));
  head.writeUInt32BE(json.length);
  json.copy(head, 4);
  return decodeArtifact('json+bytes', Buffer.concat([head, part]));
}

import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { decodeArtifact } from '../../../schemas/codec/artifact-value.ts';
import type { StackFrame, StepInput } from '../../ports/flow-code.ts';
import type { ArtifactRead, ArtifactRef } from '../../ports/task-executor.ts';
import type { EncodedArtifact, EncodedValueRef, InputArtifact, RunStep } from './protocol.ts';

export interface ChildInputs {
  readonly artifacts: Readonly<Record<string, unknown>>;
  readonly hashes: Readonly<Record<string, string>>;
  readonly inputs: readonly StepInput[];
  readonly stack: readonly StackFrame[];
  /** The reference of an artifact of an input, or of what was before (-1). */
  reference(name: string, input: number): ArtifactRef | undefined;
  /** Artifacts that were read so far, each once, at most {@link readsNamedMax}. */
  read(): readonly ArtifactRead[];
  /** A program reads them, as files. */
  handedOver(names: readonly string[] | undefined): void;
}

/** Artifacts that a step says it has read. */
const readsNamedMax = 200;

/** What the parent gave, as the step sees it: values are decoded when they are first used. */
export function childInputs(work: RunStep): ChildInputs {
  const [before, ...others] = work.inputs;
  const listed = [...others];
  for (const path of work.packs) listed.push(...readResults(path, work.artifactDirectory, listed.length));
  const artifacts = before?.artifacts ?? [];
  const reads = new Map<string, ArtifactRead>();
  const note = ({ name, ref: { hash } }: InputArtifact): void => {
    if (reads.size < readsNamedMax) reads.set(`${name}/${hash}`, { name, hash });
  };
  const inputs = listed.map((input) => ({
    branch: input.branch,
    artifacts: lazily(input.artifacts, note),
    hashes: hashesOf(input.artifacts),
  }));
  return {
    artifacts: lazily(artifacts, note),
    hashes: hashesOf(artifacts),
    inputs,
    stack: work.stack.map(({ item, point, kind, index, size }) => frame({ point, kind, index, size }, item)),
    reference: (name, input) =>
      (input < 0 ? artifacts : listed[input]?.artifacts)?.find((artifact) => artifact.name === name)?.ref,
    read: () => [...reads.values()],
    handedOver: (names) =>
      artifacts.filter(({ name }) => names === undefined || names.includes(name)).forEach((artifact) => note(artifact)),
  };
}

/** What a pack of results holds: the artifacts of each walk. Written by the worker. */
export type PackedResults = readonly (readonly (Omit<ArtifactRef, 'inline'> & { readonly inline?: string })[])[];

function readResults(path: string, directory: string, first: number): RunStep['inputs'][number][] {
  const results = JSON.parse(readFileSync(path, 'utf8')) as PackedResults;
  return results.map((artifacts, place) => ({
    branch: String(first + place),
    artifacts: artifacts.map(({ name, hash, sizeBytes, codec, inline }): InputArtifact => {
      const bytes = inline === undefined ? undefined : Buffer.from(inline, 'base64');
      const ref = { name, hash, sizeBytes, codec, ...(bytes === undefined ? {} : { inline: bytes }) };
      return { name, codec, ref, ...(bytes === undefined ? { path: join(directory, hash) } : { bytes }) };
    }),
  }));
}

function frame(
  known: Pick<RunStep['stack'][number], 'point' | 'kind' | 'index' | 'size'>,
  item: EncodedValueRef | undefined,
): StackFrame {
  const { point, kind, index, size } = known;
  const seen = { point, kind: kind as StackFrame['kind'], index, size };
  return define(seen, 'item', () => (item === undefined ? undefined : decoded(item))) as StackFrame;
}

/** The item of the innermost foreach, as an artifact that a program can take. */
export function itemArtifact(stack: RunStep['stack']): EncodedArtifact[] {
  const item = stack.findLast(({ kind }) => kind === 'foreach')?.item;
  if (item === undefined) return [];
  const { codec, bytes, path, slice } = item;
  if (bytes !== undefined || slice === undefined) return [{ name: 'item', codec, bytes, path }];
  return [{ name: 'item', codec, bytes: readSlice(path ?? '', slice) }];
}

function lazily(
  artifacts: readonly InputArtifact[],
  note: (artifact: InputArtifact) => void,
): Readonly<Record<string, unknown>> {
  const object: Record<string, unknown> = {};
  for (const artifact of artifacts)
    define(object, artifact.name, () => {
      note(artifact);
      return decoded(artifact);
    });
  return object;
}

/** Computed when first used, once. */
function define(object: object, name: string, compute: () => unknown): object {
  return Object.defineProperty(object, name, {
    enumerable: true,
    configurable: true,
    get: () => {
      const value = compute();
      Object.defineProperty(object, name, { enumerable: true, configurable: true, writable: true, value });
      return value;
    },
  });
}

function decoded({ codec, bytes, path, slice }: EncodedValueRef): unknown {
  return decodeArtifact(
    codec,
    bytes ?? (slice === undefined ? readFileSync(path ?? '') : readSlice(path ?? '', slice)),
  );
}

function readSlice(path: string, { start, length }: { readonly start: number; readonly length: number }): Buffer {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(length);
    let read = 0;
    while (read < length) {
      const more = readSync(file, bytes, read, length - read, start + read);
      if (more === 0) throw new RangeError(`${path} ends before its value does`);
      read += more;
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}

function hashesOf(artifacts: readonly InputArtifact[]): Readonly<Record<string, string>> {
  return Object.fromEntries(artifacts.map(({ name, ref }) => [name, ref.hash]));
}

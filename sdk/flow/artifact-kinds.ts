import type { ArtifactCodec, ArrowTable } from '../../schemas/codec/artifact-value.ts';
import type { NdArray } from '../../schemas/codec/npy.ts';

/** What a program leaves under a name: its codec on disk, and `T`, what a TypeScript step reads of it. */
export interface ArtifactKind<T = unknown> {
  readonly codec: ArtifactCodec;
  /** Only for the compiler. */
  readonly value?: T;
}

/** The kinds of artifacts that programs in any language can leave. */
export const artifact = {
  /** JSON, read as `T`. */
  json: <T = unknown>(): ArtifactKind<T> => ({ codec: 'json' }),
  bytes: { codec: 'bytes' } as ArtifactKind<Uint8Array>,
  /** UTF-8. */
  text: { codec: 'text' } as ArtifactKind<string>,
  /** An array as `numpy.save` writes it. */
  npy: { codec: 'npy' } as ArtifactKind<NdArray>,
  /** A table as Arrow IPC bytes. */
  arrow: { codec: 'arrow' } as ArtifactKind<ArrowTable>,
  /** A model. */
  onnx: { codec: 'onnx' } as ArtifactKind<Uint8Array>,
} as const;

/** What a program says that it leaves. */
export type Leavings = Readonly<Record<string, ArtifactKind>>;

/** The artifacts of those leavings. */
export type LeftBy<L> = { readonly [K in keyof L]: L[K] extends ArtifactKind<infer T> ? T : never };

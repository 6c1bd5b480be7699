import { encodeArtifact, type EncodedValue } from '../../../schemas/codec/artifact-value.ts';
import { digestsOf, encodePack } from '../../../schemas/codec/value-pack.ts';
import type { EncodedArtifact, EncodedPack } from './protocol.ts';

/** A pack closes when it holds so much. */
const packItems = 1_000;
const packBytes = 1024 * 1024;
/** The fold keeps digests while the foreach lasts: beyond so many items, the place in the pack tells them apart. */
const digestsMax = 20_000;

/** Too many items: said before a single one of them is worked on. */
class SplitLimitError extends Error {
  readonly retry = false;
}

/** Encodes the items of a foreach into packs. `leave` keeps one pack's bytes for the parent. */
export async function splitItems(
  step: string,
  items: Iterable<unknown> | AsyncIterable<unknown>,
  { maxSplits, digests }: { readonly maxSplits: number; readonly digests: boolean },
  leave: (bytes: Uint8Array) => EncodedArtifact,
): Promise<{ readonly size: number; readonly packs: readonly EncodedPack[] }> {
  const packs: EncodedPack[] = [];
  let open: EncodedValue[] = [];
  let openBytes = 0;
  let size = 0;
  const close = (): void => {
    if (open.length === 0) return;
    const told = digests && size <= digestsMax ? { digests: digestsOf(open) } : {};
    packs.push({ count: open.length, content: leave(encodePack(open)), ...told });
    open = [];
    openBytes = 0;
  };
  for await (const item of items) {
    if (size === maxSplits)
      throw new SplitLimitError(
        `foreach '${step}' has more than ${maxSplits} items: none was begun; raise maxSplits if that is meant`,
      );
    const encoded = encodeArtifact(`${step}[${size}]`, item);
    open.push(encoded);
    openBytes += encoded.bytes.length;
    size += 1;
    if (open.length === packItems || openBytes >= packBytes) close();
  }
  close();
  return { size, packs };
}

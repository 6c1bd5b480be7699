import type { BlobStore } from '../../runtime/ports/blob-store.ts';
import { messageOf } from '../../runtime/ports/errors.ts';
import type { TaskOutcome } from '../../runtime/ports/task-executor.ts';
import type { TaskDispatched } from '../../schemas/events.ts';

/** A task of the platform's own: results of walks become one blob, which the join reads in their place. */
export async function packResults({ inputs }: TaskDispatched, blobs: BlobStore): Promise<TaskOutcome> {
  const results = inputs.map(({ artifacts }) =>
    artifacts.map(({ name, hash, sizeBytes, codec, inline = null }) => ({
      name,
      hash,
      sizeBytes,
      codec,
      ...(inline === null ? {} : { inline: inline.toString('base64') }),
    })),
  );
  try {
    const { hash } = await blobs.put(Buffer.from(JSON.stringify(results)));
    const split = { size: results.length, packs: [{ hash, count: results.length }] };
    return { type: 'completed', artifacts: [], requests: [], userMs: 0, logs: undefined, split };
  } catch (error) {
    return { type: 'failed', kind: 'platform', message: messageOf(error), stack: '', logs: undefined };
  }
}

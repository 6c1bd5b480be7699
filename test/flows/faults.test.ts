/** What a run says, and keeps, when the ground gives way below it. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { BlobStore } from '../../runtime/ports/index.ts';
import type { RunFailed } from '../../schemas/events.ts';
import { FlowBench } from './flow-bench.ts';

let bench: FlowBench;
/** Of the writes to come, which find no space; counted from the next one. */
let full: (write: number) => boolean = () => false;
let writes = 0;

const file = join(import.meta.dirname, 'flows/big.ts');

/** A disk that is full when it is told to be. */
function filling(blobs: BlobStore): BlobStore {
  return new Proxy(blobs, {
    get: (target, name: keyof BlobStore) => {
      if (name !== 'put') return (target[name] as () => unknown).bind(target);
      return async (bytes: Parameters<BlobStore['put']>[0]) => {
        if (full(++writes)) throw new MillraceError('DISK_FULL', 'No space is left for a blob; nothing of it is kept.');
        return await target.put(bytes);
      };
    },
  });
}

beforeAll(async () => {
  bench = await FlowBench.open(2, filling);
}, 60_000);
afterAll(() => bench.close());

describe('a full disk', () => {
  it('fails the step that writes, says which artifact, and leaves none of its artifacts behind', async () => {
    writes = 0;
    full = () => true;
    const { type, data, artifacts } = await bench.run(file);
    expect(type).toBe('run-failed');
    expect(data as RunFailed).toMatchObject({
      step: 'write',
      kind: 'platform',
      message: "'rows' could not be stored: No space is left for a blob; nothing of it is kept.",
    });
    expect(artifacts).toEqual([]);
  });

  it('that has space again is met by the retry', async () => {
    writes = 0;
    // the first write is of the first step, the second of the one that may try again
    full = (write) => write === 2;
    const outcome = await bench.run(file, { fill: 2 });
    expect(outcome.type, JSON.stringify(outcome.data)).toBe('run-completed');
    expect(outcome.events.filter(({ type }) => type === 'task-retried').map(({ data }) => data)).toMatchObject([
      { taskId: 'again', attempt: 2, kind: 'platform', message: expect.stringContaining("'copy' could not be stored") },
    ]);
    expect(await outcome.value('tell', 'told')).toBe(200_000);
  });
});

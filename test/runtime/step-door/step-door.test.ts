import { createHash } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ReadableBlobs } from '../../../runtime/adapters/step-door/readable-blobs.ts';
import { openStepDoor, type StepDoor } from '../../../runtime/adapters/step-door/step-door.ts';
import type { BlobStore } from '../../../runtime/ports/blob-store.ts';
import { MillraceError } from '../../../runtime/ports/errors.ts';
import type { ArtifactRef, TaskWork } from '../../../runtime/ports/task-executor.ts';

const given = 'a'.repeat(64);
const foreign = 'b'.repeat(64);
const work = { runId: 'r', taskId: 't', step: 's', bundleHash: given } as unknown as TaskWork;

let door: StepDoor;
let saved: ArtifactRef[];
beforeEach(async () => {
  saved = [];
  const blobs = {
    stat: (hash: string) => Promise.resolve({ hash, sizeBytes: 1_000_000 }),
    stream: async function* () {
      await Promise.resolve();
      throw new MillraceError('UNAVAILABLE', 'the store went away');
    },
  } as unknown as BlobStore;
  const task = {
    work,
    readable: new ReadableBlobs(work),
    said: () => undefined,
    checkpoint: (one: ArtifactRef) => Promise.resolve(void saved.push(one)),
    ended: () => Promise.resolve(),
  };
  door = await openStepDoor({ host: '127.0.0.1', port: 0, blobs, taskOf: () => Promise.resolve(task) });
});
afterEach(() => door.close());

const call = (path: string, body?: object): Promise<Response> =>
  fetch(door.url + path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: 'Bearer token' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

it('says whole why a blob cannot be sent', async () => {
  const response = await call(`/blobs/${given}`);
  expect([response.status, await response.json()]).toEqual([
    503,
    { code: 'UNAVAILABLE', message: 'the store went away' },
  ]);
});

it('keeps no checkpoint that is a blob of somebody else', async () => {
  const checkpoint = { name: 'model', codec: 'json', sizeBytes: 1 };
  expect((await call('/checkpoints', { ...checkpoint, hash: foreign })).status).toBe(403);
  expect((await call('/checkpoints', { ...checkpoint, hash: given })).status).toBe(200);
  expect(saved.map(({ hash }) => hash)).toEqual([given]);
});

it('believes bytes that travel with their name only when they are those of the hash', () => {
  const readable = new ReadableBlobs(work);
  const inline = Buffer.from('1');
  const hash = createHash('sha256').update(inline).digest('hex');
  readable.check([{ hash, inline }, undefined, { hash: given }]);
  expect(() => readable.check([{ hash: foreign, inline }])).toThrow('none that this task was given or has written');
});

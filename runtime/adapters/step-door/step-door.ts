/**
 * The door through which pods work: HTTP on the worker that gave them their task. A pod holds no credentials of the store or of the log;
 * it shows the token that its platform gave it, and may then do this and nothing else, for its own task:
 *
 * | call | |
 * |---|---|
 * | `GET /work` | its {@link TaskWork} |
 * | `GET /blobs/<hash>` | a blob that its work names or that it wrote; `Range: bytes=a-b` |
 * | `PUT /blobs` | writes a blob: `{ hash, sizeBytes }` |
 * | `POST /output` | lines of its log and cards, {@link SaidOutput}; an empty one says that it is alive |
 * | `POST /checkpoints` | a checkpoint whose bytes are durable, {@link ArtifactRef}: answered once the next attempt will find it |
 * | `POST /end` | `{ outcome }`: the blob with its {@link TaskOutcome} |
 *
 * 401: the token is no good; 409: nobody waits for this task any more, end yourself.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BlobStore } from '../../ports/blob-store.ts';
import { errorCodes, MillraceError, messageOf } from '../../ports/errors.ts';
import type { ArtifactRef, TaskWork } from '../../ports/task-executor.ts';
import type { ReadableBlobs } from './readable-blobs.ts';
import { fromJson, toJson } from './task-json.ts';

/** What the door knows of one task. */
export interface DoorTask {
  readonly work: TaskWork;
  readonly readable: ReadableBlobs;
  said(output: SaidOutput): void;
  checkpoint(saved: ArtifactRef): Promise<void>;
  /** Of the blob with the outcome. */
  ended(outcomeHash: string): Promise<void>;
}

export interface SaidOutput {
  readonly lines: readonly string[];
  readonly cards: readonly { readonly name: string; readonly document: string }[];
}

export interface StepDoorOptions {
  readonly host: string;
  /** 0: any. */
  readonly port: number;
  readonly blobs: BlobStore;
  /** The task whose pod shows this token; `stale` when nobody waits for it any more, undefined when the token is no good. */
  taskOf(token: string): Promise<DoorTask | 'stale' | undefined>;
}

export interface StepDoor {
  readonly url: string;
  close(): Promise<void>;
}

const bodyBytesMax = 8 * 1024 * 1024;

export async function openStepDoor(options: StepDoorOptions): Promise<StepDoor> {
  const server = createServer((request, response) => {
    void answer(options, request, response).catch((error: unknown) => refuse(response, error));
  });
  // blobs may be big and slow to come
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return { url: `http://${host}:${port}`, close: () => closed(server) };
}

async function answer(options: StepDoorOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
  const task = token === undefined ? undefined : await options.taskOf(token);
  if (task === undefined) return says(response, 401, { message: 'the token is missing or no good' });
  if (task === 'stale') return says(response, 409, { message: 'nobody waits for this task any more' });
  const path = request.url ?? '';
  const hash = /^\/blobs\/([0-9a-f]{64})$/.exec(path)?.[1];
  switch (`${request.method} ${hash === undefined ? path : '/blobs/'}`) {
    case 'GET /work':
      response.setHeader('content-type', 'application/json');
      return void response.end(toJson(task.work));
    case 'GET /blobs/':
      return await sendBlob(options.blobs, task, hash ?? '', request, response);
    case 'PUT /blobs': {
      const written = await options.blobs.put(request);
      task.readable.add(written.hash);
      return says(response, 200, written);
    }
    case 'POST /output': {
      task.said(outputOf(await bodyOf(request)));
      return says(response, 200, {});
    }
    case 'POST /checkpoints': {
      const saved = checkpointOf(await bodyOf(request));
      task.readable.check([saved]);
      // whoever keeps it has tried as long as that makes sense: the step hears why not, and is not to ask again
      await task.checkpoint(saved).catch((error: unknown) => {
        throw new MillraceError('FORBIDDEN', messageOf(error), { cause: error });
      });
      return says(response, 200, {});
    }
    case 'POST /end': {
      const { outcome } = (await bodyOf(request)) as { readonly outcome?: unknown };
      if (typeof outcome !== 'string' || !task.readable.has(outcome))
        throw new MillraceError('INVALID_ARGUMENT', 'outcome: the hash of a blob that this task wrote is expected');
      await task.ended(outcome);
      return says(response, 200, {});
    }
    default:
      throw new MillraceError('NOT_FOUND', `there is no ${request.method} ${path}`);
  }
}

async function sendBlob(
  blobs: BlobStore,
  { readable }: DoorTask,
  hash: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!readable.has(hash)) throw new MillraceError('FORBIDDEN', `blob ${hash} is none that this task may read`);
  if (readable.isPack(hash)) readable.addPack(await blobs.get(hash));
  const info = await blobs.stat(hash);
  if (info === undefined) throw new MillraceError('NOT_FOUND', `there is no blob ${hash}`);
  response.setHeader('content-type', 'application/octet-stream');
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  if (range !== null) {
    const bytes = await blobs.getRange(hash, Number(range[1]), Number(range[2]) + 1);
    response.statusCode = 206;
    return void response.end(bytes);
  }
  response.setHeader('content-length', info.sizeBytes);
  for await (const chunk of blobs.stream(hash)) {
    if (response.destroyed) return;
    if (!response.write(chunk)) await new Promise((resolve) => response.once('drain', resolve).once('close', resolve));
  }
  response.end();
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) throw new MillraceError('TOO_LARGE', `the body is over ${bodyBytesMax} bytes`);
    chunks.push(chunk);
  }
  try {
    return fromJson(Buffer.concat(chunks).toString('utf8'));
  } catch (error) {
    throw new MillraceError('INVALID_ARGUMENT', `the body is no JSON: ${messageOf(error)}`);
  }
}

function outputOf(body: unknown): SaidOutput {
  const { lines = [], cards = [] } = body as Partial<SaidOutput>;
  if (!Array.isArray(lines) || !Array.isArray(cards) || !lines.every((line) => typeof line === 'string'))
    throw new MillraceError('INVALID_ARGUMENT', 'lines: texts, and cards: { name, document }, are expected');
  for (const { name, document } of cards as readonly { readonly name: unknown; readonly document: unknown }[]) {
    if (typeof name !== 'string' || typeof document !== 'string')
      throw new MillraceError('INVALID_ARGUMENT', 'cards: { name, document } are expected');
  }
  return { lines, cards };
}

function checkpointOf(body: unknown): ArtifactRef {
  const { name, hash, codec, sizeBytes } = body as Readonly<Record<string, unknown>>;
  if (
    typeof name !== 'string' ||
    typeof hash !== 'string' ||
    typeof codec !== 'string' ||
    typeof sizeBytes !== 'number'
  )
    throw new MillraceError('INVALID_ARGUMENT', 'a checkpoint is { name, hash, codec, sizeBytes }');
  return body as ArtifactRef;
}

function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent) return void response.destroy();
  // of the blob that could not be sent
  response.removeHeader('content-length');
  const code = error instanceof MillraceError ? error.code : 'INTERNAL';
  says(response, errorCodes[code].status, { code, message: messageOf(error) });
}

function says(response: ServerResponse, status: number, body: unknown): void {
  response.statusCode = status;
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(body));
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

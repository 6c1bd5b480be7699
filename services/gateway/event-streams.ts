/** Server-sent events of topics: limited in number, ended when the gateway closes, dropped when the reader is too slow. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { FollowedEvent, Runtime } from '../../runtime/engine/runtime.ts';
import { MillraceError } from '../../runtime/ports/index.ts';
import { plainJson } from '../../schemas/codec/plain-json.ts';
import type { EventTopic } from '../../schemas/events.ts';

/** A reader that is slower than this many bytes behind is let go; it comes back with its last id. */
const bufferedBytesMax = 8 * 1024 * 1024;
const heartbeatMs = 15_000;

export interface OpenStream {
  /** False when the reader is gone. */
  send(text: string): boolean;
  /** Aborts when the reader goes, or the gateway closes. */
  readonly signal: AbortSignal;
  /** Bytes that the reader has not taken yet. */
  drained(): Promise<void>;
}

export class EventStreams {
  #open = 0;
  #ofRuns = 0;
  readonly #ends = new Set<() => void>();
  readonly #max: number;

  constructor(app: FastifyInstance, max: number) {
    this.#max = max;
    app.addHook('preClose', () => {
      for (const end of this.#ends) end();
    });
  }

  /** Streams on which somebody waits for the end of a run. */
  get ofRuns(): number {
    return this.#ofRuns;
  }

  /** `run`, for somebody who waits for the end of a run. */
  async followRun(...[reply, contentType, prepare]: Parameters<EventStreams['run']>): Promise<void> {
    this.#ofRuns += 1;
    try {
      await this.run(reply, contentType, prepare);
    } finally {
      this.#ofRuns -= 1;
    }
  }

  /**
   * Takes the reply over for as long as `write` writes, or until the reader is gone; where `write` throws, the reply breaks off, so that
   * nobody takes it for whole. UNAVAILABLE when too many are open.
   */
  async run(
    reply: FastifyReply,
    contentType: string,
    prepare: () => Promise<(stream: OpenStream) => Promise<void>>,
  ): Promise<void> {
    if (this.#open >= this.#max)
      throw new MillraceError('UNAVAILABLE', `${this.#open} event streams are open, the most allowed: try again`);
    this.#open += 1;
    try {
      const write = await prepare();
      await this.#write(reply, contentType, write);
    } finally {
      this.#open -= 1;
    }
  }

  async #write(reply: FastifyReply, contentType: string, write: (stream: OpenStream) => Promise<void>): Promise<void> {
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, { 'content-type': contentType, 'cache-control': 'no-store', connection: 'keep-alive' });
    raw.flushHeaders();
    const gone = new AbortController();
    const end = (): void => gone.abort();
    this.#ends.add(end);
    raw.on('close', end);
    if (raw.destroyed) end();
    try {
      await write({
        signal: gone.signal,
        send: (text) => {
          if (raw.destroyed) return false;
          if (!raw.write(text) && raw.writableLength > bufferedBytesMax) raw.destroy();
          return !raw.destroyed;
        },
        drained: async () => {
          if (raw.destroyed || !raw.writableNeedDrain) return;
          await new Promise<void>((resolve) => {
            raw.once('drain', resolve);
            gone.signal.addEventListener('abort', () => resolve(), { once: true });
          });
        },
      });
      raw.end();
    } catch (error) {
      raw.destroy();
      if (!gone.signal.aborted) throw error;
    } finally {
      this.#ends.delete(end);
    }
  }
}

/** Events of a topic from these positions on, as server-sent events; the id of each is the position behind it. */
export async function followTopic(
  stream: OpenStream,
  runtime: Runtime,
  topic: EventTopic,
  next: number[],
  wanted: (event: FollowedEvent<EventTopic>) => boolean = () => true,
): Promise<void> {
  stream.send(`retry: 1000\nid: ${next.join('.')}\n\n`);
  const ended = new AbortController();
  const follower = await runtime.follow(topic, {
    from: [...next],
    // The reader comes again; a position that no stream gave must not look as if this process were ill.
    onStopped: () => ended.abort(),
    onEvent: (followed) => {
      const { partition, offset, id, key, timeMs, type, data } = followed;
      next[partition] = offset + 1;
      if (!wanted(followed)) return;
      const event = { id, topic, partition, offset, key, timeMs, type, data };
      stream.send(`id: ${next.join('.')}\nevent: ${type}\ndata: ${plainJson(event)}\n\n`);
    },
  });
  const heartbeat = setInterval(() => stream.send(':\n\n'), heartbeatMs);
  const over = AbortSignal.any([stream.signal, ended.signal]);
  await new Promise<void>((resolve) => {
    if (over.aborted) resolve();
    else over.addEventListener('abort', () => resolve(), { once: true });
  });
  clearInterval(heartbeat);
  await follower.close();
}

/** Next offset of each partition, from the id that a stream of this topic gave; undefined when the reader has none. */
export function positionsOf(request: FastifyRequest, topic: string, runtime: Runtime): number[] | undefined {
  const last = request.headers['last-event-id'];
  if (last === undefined || last === '') return undefined;
  const offsets = typeof last === 'string' && /^\d{1,15}(\.\d{1,15})*$/.test(last) ? last.split('.').map(Number) : [];
  if (offsets.length === runtime.partitions(topic)) return offsets;
  throw new MillraceError('INVALID_ARGUMENT', `Last-Event-ID must be an id that this topic's stream gave`);
}

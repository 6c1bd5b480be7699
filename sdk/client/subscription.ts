/** A subscription to a topic through the gateway: goes on where it broke off, and drops what it had already. */
import { hasCode, messageOf } from '../../runtime/ports/errors.ts';
import type { EventOf, EventTopic } from '../../schemas/events.ts';
import { EventStreamParser } from './event-stream.ts';
import { errorOf, type HttpCaller, parseJson, query } from './http-caller.ts';

/**
 * A fact of a topic. The first one of an `id` is the fact; repeats do not reach the handler. Numbers that JSON does not have come as the
 * texts 'NaN', 'Infinity' and '-Infinity'.
 */
export type TopicEvent<T extends EventTopic> = EventOf<T> & {
  /** `ce_id`. */
  readonly id: string;
  readonly topic: T;
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  /** Append time, milliseconds. */
  readonly timeMs: number;
};

export interface SubscribeOptions {
  /** Where to begin without `lastEventId`; `<partition>@<offset>` begins there, and at the present end of the other partitions. @default 'latest' */
  readonly from?: 'earliest' | 'latest' | `${number}@${number}` | undefined;
  /** Goes on behind what a subscription had, by its `lastEventId`. */
  readonly lastEventId?: string | undefined;
  /** Only facts of this deployment; facts that name none do not reach the handler. @default all */
  readonly deployment?: string | undefined;
  /** Hears of a stream that broke off and will be opened again. @default nothing is said */
  readonly onBroken?: ((error: unknown) => void) | undefined;
  /** Longest pause between two attempts. @default 10000 */
  readonly retryMsMax?: number | undefined;
}

export interface Subscription {
  /** Where to go on later. */
  readonly lastEventId: string | undefined;
  /** Resolves once the gateway delivers from the chosen position on. */
  readonly ready: Promise<void>;
  /** Resolves after `close`; rejects when the gateway refuses for good, or the handler fails. */
  readonly done: Promise<void>;
  close(): Promise<void>;
}

const seenMax = 10_000;

/** `stream`: its path. */
export function subscribe<T extends EventTopic>(
  caller: HttpCaller,
  stream: string,
  handler: (event: TopicEvent<T>) => void | Promise<void>,
  options: SubscribeOptions = {},
): Subscription {
  const abort = new AbortController();
  const seen = new Set<string>();
  let lastEventId = options.lastEventId;
  let opened: () => void = () => undefined;
  let refused: (error: unknown) => void = () => undefined;
  const ready = new Promise<void>((resolve, reject) => {
    opened = resolve;
    refused = reject;
  });
  ready.catch(() => undefined);

  const deliver = async (text: string): Promise<void> => {
    const event = JSON.parse(text) as TopicEvent<T>;
    if (seen.has(event.id)) return;
    seen.add(event.id);
    if (seen.size > seenMax) for (const oldest of seen) if (seen.delete(oldest)) break;
    if (options.deployment !== undefined && deploymentOf(event.data) !== options.deployment) return;
    await handler(event);
  };

  const readStream = async (): Promise<void> => {
    const call = {
      method: 'GET',
      path: stream + query({ from: options.from }),
      headers: { accept: 'text/event-stream', 'last-event-id': lastEventId },
      signal: abort.signal,
    } as const;
    const response = await caller.open(call);
    if (!response.ok) throw errorOf(response.status, parseJson(await response.text()), call);
    const parser = new EventStreamParser();
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      const text = decoder.decode(chunk as Uint8Array, { stream: true });
      for (const event of parser.push(text)) {
        try {
          await deliver(event.data);
        } catch (cause) {
          throw new HandlerFailure(cause);
        }
        lastEventId = event.id;
      }
      lastEventId = parser.lastId === '' ? lastEventId : parser.lastId;
      if (lastEventId !== undefined) opened();
    }
  };

  const done = keepReading(readStream, abort.signal, options).catch((error: unknown) => {
    refused(error);
    throw error;
  });
  done.catch(() => undefined);
  return {
    get lastEventId() {
      return lastEventId;
    },
    ready,
    done,
    close: async () => {
      abort.abort();
      await done.catch(() => undefined);
    },
  };
}

function deploymentOf(data: object): unknown {
  return (data as { readonly deployment?: unknown }).deployment;
}

/** What the subscriber's own code threw: trying again would not help. */
class HandlerFailure extends Error {
  constructor(cause: unknown) {
    super(messageOf(cause), { cause });
  }
}

async function keepReading(read: () => Promise<void>, signal: AbortSignal, options: SubscribeOptions): Promise<void> {
  const { retryMsMax = 10_000, onBroken = () => undefined } = options;
  for (let waitMs = 100; !signal.aborted; waitMs = Math.min(2 * waitMs, retryMsMax)) {
    try {
      await read();
      waitMs = 100;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof HandlerFailure) throw error.cause;
      if (hasCode(error, 'NOT_FOUND', 'INVALID_ARGUMENT', 'FORBIDDEN')) throw error;
      onBroken(error);
    }
    await pause(waitMs, signal);
  }
}

async function pause(waitMs: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, waitMs);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}

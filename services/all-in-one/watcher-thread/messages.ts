import type { MessagePort } from 'node:worker_threads';
import type { LogLoss } from '../../../runtime/adapters/thread-log/connect-log.ts';
import type { SentError } from '../../../runtime/adapters/thread-log/messages.ts';
import type { Configuration } from '../../../runtime/config/settings.ts';
import type { TaskStats } from '../../../runtime/engine/runtime.ts';

/** What the thread is started with. */
export interface ThreadData {
  readonly configuration: Configuration;
  /** Names of topologies. */
  readonly topologies: readonly string[];
  /** The other end of it lends the log. */
  readonly port: MessagePort;
  /** What the log says of itself. */
  readonly loss: LogLoss;
}

/** From the thread. */
export type ThreadSays =
  /** Every topology runs; its tasks catch up. */
  | { readonly type: 'started' }
  | { readonly type: 'caught-up' }
  /** A task has failed; the others run. */
  | { readonly type: 'not-caught-up'; readonly error: SentError }
  | {
      readonly type: 'tasks';
      /** It is the answer to a question. */
      readonly asked: boolean;
      readonly stats: readonly TaskStats[];
      readonly stopped: readonly string[];
    };

/** To the thread: say how the tasks are now; or close everything, and end. */
export interface ThreadAsked {
  readonly type: 'report' | 'close';
}

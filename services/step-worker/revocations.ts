import type { Running, Runtime } from '../../runtime/engine/runtime.ts';
import type { GangAssembled, TaskDispatched, TaskRevoked } from '../../schemas/events.ts';

const rememberedMax = 10_000;

/**
 * What must stop, and which gangs may begin. Read without a group and from the beginning of what is kept, so that a worker also knows what was revoked before it
 * came.
 */
export class Revocations {
  readonly #runtime: Runtime;
  readonly #hear: (revoked: TaskRevoked) => void;
  readonly #revoked = new Set<string>();
  #following: Running | undefined;

  readonly #assembled: (gang: GangAssembled) => void;

  constructor(runtime: Runtime, hear: (revoked: TaskRevoked) => void, assembled: (gang: GangAssembled) => void) {
    this.#runtime = runtime;
    this.#hear = hear;
    this.#assembled = assembled;
  }

  async start(): Promise<Running> {
    const following = await this.#runtime.follow('task-control', {
      from: 'earliest',
      onEvent: (event) => {
        if (event.type === 'gang-assembled') {
          this.#assembled(event.data);
          return;
        }
        const { data } = event;
        // one that names an incarnation is meant for that one alone
        if (data.incarnation === null) this.#remember(keyOf(data));
        this.#hear(data);
      },
    });
    this.#following = following;
    await following.ready();
    return following;
  }

  has(dispatched: TaskDispatched): boolean {
    return this.#revoked.has(keyOf(dispatched));
  }

  async close(): Promise<void> {
    await this.#following?.close();
  }

  #remember(key: string): void {
    this.#revoked.add(key);
    if (this.#revoked.size <= rememberedMax) return;
    for (const oldest of this.#revoked) {
      this.#revoked.delete(oldest);
      break;
    }
  }
}

const keyOf = ({ runId, taskId, dispatch }: Pick<TaskRevoked, 'runId' | 'taskId' | 'dispatch'>): string =>
  `${runId}/${taskId}/${dispatch}`;

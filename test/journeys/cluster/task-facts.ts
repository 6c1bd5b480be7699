/** What the log says of tasks while a test looks on: a record twice counts once. */
import type { FollowedEvent, Running, Runtime } from '../../../runtime/engine/runtime.ts';
import type { EventData } from '../../../schemas/events.ts';

type Dispatch = FollowedEvent<'tasks'>;
type Started = EventData['runs']['task-started'];
type Closed = EventData['runs']['task-closed'];

export class TaskFacts {
  /** By run: how it ended. */
  readonly ends = new Map<string, string>();
  readonly #dispatched: Dispatch[] = [];
  readonly #started: Started[] = [];
  readonly #closed: Closed[] = [];
  readonly #revoked: EventData['task-control']['task-revoked'][] = [];
  readonly #artifacts: EventData['artifacts']['artifact-written'][] = [];
  readonly #followers: Running[] = [];

  static async follow(runtime: Runtime): Promise<TaskFacts> {
    const facts = new TaskFacts();
    facts.#followers.push(
      await runtime.follow('tasks', { from: 'earliest', onEvent: (event) => void facts.#dispatched.push(event) }),
      await runtime.follow('task-control', {
        from: 'earliest',
        onEvent: ({ type, data }) => void (type === 'task-revoked' && facts.#revoked.push(data)),
      }),
      await runtime.follow('artifacts', {
        from: 'earliest',
        onEvent: ({ type, data }) => void (type === 'artifact-written' && facts.#artifacts.push(data)),
      }),
      await runtime.follow('runs', {
        from: 'earliest',
        onEvent: ({ type, data }) => {
          if (type === 'task-started') facts.#started.push(data);
          if (type === 'task-closed') facts.#closed.push(data);
          if (type === 'run-completed' || type === 'run-failed') facts.ends.set(data.runId, type);
        },
      }),
    );
    return facts;
  }

  /** In the order in which they were issued. */
  dispatches(runId: string): readonly Dispatch[] {
    return this.#dispatched.filter(({ data }) => data.runId === runId);
  }

  startsOf(runId: string): readonly Started[] {
    return this.#started.filter((one) => one.runId === runId);
  }

  closed(runId: string): readonly Closed[] {
    return this.#closed.filter((one) => one.runId === runId);
  }

  /** Incarnations of workers that were told to stop. */
  revoked(runId: string): readonly string[] {
    return this.#revoked.filter((one) => one.runId === runId).map(({ incarnation }) => incarnation ?? '');
  }

  /** Names, with repeats. */
  artifacts(runId: string): readonly string[] {
    return this.#artifacts.filter((one) => one.runId === runId).map(({ artifact }) => artifact.name);
  }

  async close(): Promise<void> {
    for (const follower of this.#followers) await follower.close();
  }
}

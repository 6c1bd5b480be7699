/**
 * Takes dispatched tasks and runs their steps through a {@link TaskExecutor}, off the loop.
 *
 * A claim is this worker's own commit of token and position; only then it says `task-started`, and only when that was acknowledged in
 * time user code begins. Every fact carries an id that follows from the token, so saying it twice is harmless. A claim of an earlier
 * incarnation of this worker that is found at start can have no outcome any more, unless the executor can go on with it: `lost` is said for
 * it at once.
 */
import type { Running, Runtime } from '../../runtime/engine/runtime.ts';
import type { IdentifiedOutput, Service, ServiceTask } from '../../runtime/engine/service.ts';
import { crashPoint } from '../../runtime/engine/crash-points.ts';
import type { TaskExecutor } from '../../runtime/ports/task-executor.ts';
import type { TaskDispatched } from '../../schemas/events.ts';
import { defaultCompute } from '../../schemas/flow-graph.ts';
import { Attempt } from './attempt.ts';
import { type Claim, claimKey, claimPrefix, isOver, overAt } from './claim.ts';
import { ClaimsOver } from './claims-over.ts';
import { computeOf, serviceName } from './compute-class.ts';
import { factOf, type WorkerName } from './facts.ts';
import { Gangs } from './gangs.ts';
import { Heart } from './heart.ts';
import { Revocations } from './revocations.ts';
import { Slots } from './slots.ts';
import { TaskOutput } from './task-output.ts';

export interface StepWorkerOptions {
  readonly runtime: Runtime;
  readonly executor: TaskExecutor;
  /** Stays the same over restarts and is nobody else's: a claim under it by another incarnation is one of the dead. */
  readonly name: string;
  /** Compute class whose steps it takes. @default process */
  readonly compute?: string | undefined;
  /** Slots that are shared with workers of other classes on the same executor. @default as many as the executor has */
  readonly slots?: Slots | undefined;
  /** A start that is acknowledged so close to its deadline is not used, milliseconds. @default 1000, at most a tenth of the wait */
  readonly startMarginMs?: number | undefined;
  /** Environment variables for each step, under those that it names itself; it is over at `overAtMs` at the latest. @default none */
  readonly variables?: ((dispatched: TaskDispatched, overAtMs: number) => Readonly<Record<string, string>>) | undefined;
  /** Under which members of a gang on other machines reach this one. @default 127.0.0.1 */
  readonly host?: string | undefined;
}

export interface StepWorker {
  readonly service: Service<'tasks'>;
  /** Begins to listen for revocations; call it before the service runs. */
  start(): Promise<Running>;
  /** Tasks whose start is acknowledged and whose end is not. */
  openLeases(): number;
  /** Stops taking tasks, ends what runs and says so; the executor stays open. Idempotent. */
  close(): Promise<void>;
}

export function createStepWorker(options: StepWorkerOptions): StepWorker {
  const { runtime, executor, compute = defaultCompute } = options;
  const identity: WorkerName = { worker: options.name, incarnation: runtime.parts.ids.next() };
  const attempts = new Map<string, Attempt>();
  /** Attempts that wait for the commit of their claim. */
  const unclaimed = new Map<string, { readonly task: ServiceTask; settle(stands: boolean): void }>();
  const { slots = new Slots(executor.slots) } = options;
  const gangs = new Gangs();
  const output = new TaskOutput(runtime, identity);
  const revocations = new Revocations(
    runtime,
    (revoked) => {
      for (const attempt of attempts.values()) attempt.hear(revoked);
    },
    (gang) => gangs.hear(gang),
  );
  const heart = new Heart(runtime, identity, () => [...attempts.values()].filter(({ beats }) => beats));
  const over = new ClaimsOver(runtime.parts.clock);
  let closed = false;

  const begin = (task: ServiceTask, claim: Claim, adopt?: TaskExecutor['adopt']): void => {
    const key = claimKey(claim);
    const stands = adopt !== undefined || new Promise<boolean>((settle) => unclaimed.set(key, { task, settle }));
    const attempt = new Attempt({
      runtime,
      executor,
      // who goes on with what an earlier incarnation began speaks for it: the platform knows the holder by that name
      identity: { worker: identity.worker, incarnation: claim.incarnation },
      adopt,
      claim,
      gangs,
      output,
      host: options.host ?? '127.0.0.1',
      variables: options.variables?.(claim.dispatched, overAt(claim)) ?? {},
      startMarginMs: options.startMarginMs ?? Math.min(1_000, claim.waitMs / 10),
      committed: async () => await stands,
      beating: () => heart.note(claim.dispatched.leaseMs),
    });
    attempts.set(key, attempt);
    void attempt.done.then((said) => {
      attempts.delete(key);
      if (adopt === undefined && needsSlot(claim.dispatched)) slots.release();
      if (said) over.add(task, key);
    });
  };

  const settle = (key: string, stands: boolean): void => {
    unclaimed.get(key)?.settle(stands);
    unclaimed.delete(key);
  };

  const service: Service<'tasks'> = {
    name: serviceName(compute),
    inputs: ['tasks'],
    outputs: ['runs', 'task-output'],
    summary: `runs the steps of flows of the compute class ${compute}`,
    first: 'commit',
    // a claim is for a free slot, so tasks are taken one by one
    batchRecords: 1,

    async opened(task) {
      const lost: IdentifiedOutput[] = [];
      const gone: string[] = [];
      for await (const [key, claim] of task.entries<Claim>(claimPrefix)) {
        if (attempts.has(key)) {
          // its commit had an unknown outcome
          settle(key, true);
          continue;
        }
        if (claim.incarnation === identity.incarnation) {
          // its partition went before it was known that the commit was done: it was never begun, or it could not be finished
          if (over.of(task).includes(key)) continue;
          const message = `worker ${claim.worker} gave the task up`;
          lost.push(factOf('lost', claim.dispatched, claim, { kind: 'lost', message }));
          gone.push(key);
          continue;
        }
        const own = claim.worker === identity.worker;
        if (
          own &&
          executor.adopt !== undefined &&
          needsSlot(claim.dispatched) &&
          !isOver(claim, runtime.parts.clock.now())
        ) {
          begin(task, claim, executor.adopt.bind(executor));
          continue;
        }
        if (own) {
          const message = `worker ${claim.worker} ended while it held the task`;
          lost.push(factOf('lost', claim.dispatched, claim, { kind: 'lost', message }));
        }
        if (own || isOver(claim, runtime.parts.clock.now())) gone.push(key);
      }
      if (lost.length > 0) await runtime.publish(lost);
      for (const key of gone) over.add(task, key);
      over.opened(task);
    },

    async handle(batch, task) {
      const remove = over.of(task);
      const put: [string, Claim][] = [];
      for (const { event, raw } of batch) {
        if (event?.type !== 'task-dispatched') continue;
        const dispatched = event.data;
        if (computeOf(dispatched) !== compute) continue;
        const slotted = needsSlot(dispatched);
        if ((slotted && !(await slots.take(task.signal))) || closed) return await untilAborted(task);
        if (revocations.has(dispatched)) {
          if (slotted) slots.release();
          continue;
        }
        const { now } = runtime.parts.clock;
        const waitMs = Math.max(0, dispatched.startDeadline - raw.timestampMs);
        const work = { topic: 'tasks', partition: raw.partition, offset: raw.offset };
        const claim: Claim = { dispatched, ...identity, claimedAt: now(), waitMs, work };
        const key = claimKey(claim);
        crashPoint('before-claim');
        put.push([key, claim]);
        // After a commit that was refused the same record comes again, while the attempt still waits for its claim.
        if (!attempts.has(key)) begin(task, claim);
        else if (slotted) slots.release();
      }
      const committed = (): void => {
        crashPoint('after-claim');
        for (const [key] of put) settle(key, true);
        over.forget(task, remove);
      };
      return { outputs: [], put, delete: remove, count: { claimed: put.length }, committed };
    },

    rest(task) {
      const remove = over.of(task);
      return remove.length === 0 ? undefined : { delete: remove, committed: () => over.forget(task, remove) };
    },

    closed(task) {
      for (const [key, waiting] of unclaimed) if (waiting.task === task) settle(key, false);
    },
  };

  return {
    service,
    start: () => revocations.start(),
    openLeases: () => [...attempts.values()].filter(({ beats }) => beats).length,
    close: async () => {
      closed = true;
      heart.close();
      const running = [...attempts.values()];
      for (const attempt of running) attempt.stop();
      for (const key of unclaimed.keys()) settle(key, false);
      await Promise.all(running.map(({ done }) => done));
      await output.close();
      await revocations.close();
    },
  };
}

/** Packing results is a blob to write, and waits for nobody's step. */
function needsSlot({ kind }: TaskDispatched): boolean {
  return kind !== 'pack';
}

/** The partition is going away: what was not claimed must not count as processed. */
async function untilAborted(task: ServiceTask): Promise<never> {
  if (!task.signal.aborted) {
    await new Promise<void>((resolve) => task.signal.addEventListener('abort', () => resolve(), { once: true }));
  }
  throw new Error('the worker is closing');
}

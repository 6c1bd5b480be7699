/**
 * What a pod runs: one attempt of one step, in the same child process as on any worker, with everything that it reads and says going
 * through the door of the worker that made the pod. It ends by itself when that worker is out of reach for longer than the lease.
 *
 * Its outcome is a blob, whose hash it leaves as the termination message of its container, so that it is known even if the worker was
 * away when it ended; then it tells the worker.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createProcessExecutor } from '../../runtime/adapters/process-executor/process-executor.ts';
import { DoorBlobStore } from '../../runtime/adapters/step-door/door-blob-store.ts';
import { DoorClient } from '../../runtime/adapters/step-door/door-client.ts';
import { PodOutput } from '../../runtime/adapters/step-door/pod-output.ts';
import type { PodWork } from '../../runtime/adapters/step-door/pod-work.ts';
import { toJson } from '../../runtime/adapters/step-door/task-json.ts';
import { messageOf, MillraceError } from '../../runtime/ports/errors.ts';

/** Exit code when the step's outcome could not be handed over. */
const notHandedOver = 75;

/** Reads its task from the variables that the executor set; answers the exit code. */
export async function runStepPod(environment: NodeJS.ProcessEnv): Promise<number> {
  const named = (name: string): string => {
    const value = environment[name];
    if (value === undefined)
      throw new MillraceError('INVALID_CONFIGURATION', `${name} is not set: this command is for pods of a worker`);
    return value;
  };
  const ending = new AbortController();
  const door = new DoorClient({
    url: named('MILLRACE_STEP_DOOR'),
    tokenFile: named('MILLRACE_STEP_TOKEN_FILE'),
    patienceMs: Number(named('MILLRACE_STEP_LEASE_MS')),
    lost: (reason) => ending.abort(reason),
  });
  const outcomeFile = named('MILLRACE_STEP_OUTCOME_FILE');
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => ending.abort('the pod was ended'));

  const work = (await door.work()) as PodWork;
  const blobs = new DoorBlobStore(door);
  const executor = await createProcessExecutor({
    blobs,
    cacheDirectory: join(process.cwd(), 'steps'),
    slots: 1,
    memoryMb: work.memoryMb,
    logBytesMax: work.logBytesMax,
  });
  const output = new PodOutput(door);
  try {
    const handle = executor.start(work, output);
    const end = (): void => handle.cancel(String(ending.signal.reason));
    if (ending.signal.aborted) end();
    else ending.signal.addEventListener('abort', end, { once: true });
    const outcome = await handle.outcome;
    await output.close();
    const { hash } = await blobs.put(Buffer.from(toJson(outcome)));
    await writeFile(outcomeFile, JSON.stringify({ outcome: hash }));
    // nobody waits any more when the cluster has told it already
    await door.end(hash).catch(() => undefined);
    return 0;
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    return notHandedOver;
  } finally {
    await executor.close();
  }
}

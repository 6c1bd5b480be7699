import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleFlow } from '../../runtime/adapters/bundler/bundle-flow.ts';
import { createProcessExecutor } from '../../runtime/adapters/process-executor/process-executor.ts';
import type { FollowedEvent, Running } from '../../runtime/engine/runtime.ts';
import type { BlobStore, TaskExecutor } from '../../runtime/ports/index.ts';
import { createTestRuntime, eventually, type TestRuntime } from '../../runtime/testing/index.ts';
import { decodeArtifact } from '../../schemas/codec/artifact-value.ts';
import type { ArtifactWritten, RunCompleted, RunFailed } from '../../schemas/events.ts';
import { createStepWorker, type StepWorker } from '../../services/step-worker/step-worker.ts';
import { runProgress } from '../../topologies/run-progress.ts';

export interface Outcome {
  readonly type: 'run-completed' | 'run-failed';
  readonly data: RunCompleted | RunFailed;
  readonly events: readonly FollowedEvent<'runs'>[];
  readonly artifacts: readonly ArtifactWritten[];
  /** Value of the artifact that a task wrote. */
  value(task: string, name: string): Promise<unknown>;
}

/** Runs flow files as a worker does: bundled, walked by the topology, in child processes. */
export class FlowBench {
  readonly test: TestRuntime;
  readonly #events: FollowedEvent<'runs'>[] = [];
  readonly #artifacts: ArtifactWritten[] = [];
  readonly #open: Running[] = [];
  #directory = '';
  #executor: TaskExecutor | undefined;
  #worker: StepWorker | undefined;
  #runs = 0;

  private constructor(test: TestRuntime) {
    this.test = test;
  }

  /** `stored`: what stands between steps and the blob store. */
  static async open(slots = 3, stored: (blobs: BlobStore) => BlobStore = (blobs) => blobs): Promise<FlowBench> {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-flows-'));
    const cacheDirectory = join(directory, 'steps');
    return await FlowBench.on(async (blobs) => {
      return await createProcessExecutor({ blobs: stored(blobs), cacheDirectory, slots });
    }, directory);
  }

  /** With an executor of the caller's; `directory` goes when the bench is closed. */
  static async on(made: (blobs: BlobStore) => Promise<TaskExecutor>, directory = ''): Promise<FlowBench> {
    const bench = new FlowBench(await createTestRuntime());
    const { runtime } = bench.test;
    bench.#directory = directory;
    bench.#executor = await made(runtime.parts.blobs);
    bench.#worker = createStepWorker({ runtime, executor: bench.#executor, name: 'worker-1' });
    bench.#open.push(
      await runtime.follow('runs', { from: 'earliest', onEvent: (event) => bench.#events.push(event) }),
      await runtime.follow('artifacts', {
        from: 'earliest',
        onEvent: ({ type, data }) => type === 'artifact-written' && bench.#artifacts.push(data),
      }),
      await runtime.runTopology(runProgress),
      await bench.#worker.start(),
      await runtime.runService(bench.#worker.service),
    );
    for (const part of bench.#open) await part.ready();
    return bench;
  }

  async run(
    file: string,
    parameters: object = {},
    change: (graph: object) => object = (graph) => graph,
  ): Promise<Outcome> {
    const { runtime } = this.test;
    const { name, code, graph } = await bundleFlow(file);
    const { hash: bundleHash } = await runtime.parts.blobs.put(code);
    this.#runs += 1;
    const runId = String(this.#runs).padStart(32, '0');
    const data = {
      runId,
      flow: name,
      version: 0,
      bundleHash,
      graph: JSON.stringify(change(graph)),
      parameters: JSON.stringify(parameters),
      tags: [],
      systemTags: [],
      cause: { kind: 'manual', id: 'test', position: null },
      actor: 'ada',
    };
    await runtime.publish([{ topic: 'runs', type: 'run-requested', key: runId, id: `request-${runId}`, data }]);
    const of = (): FollowedEvent<'runs'>[] => this.#events.filter((event) => event.data.runId === runId);
    const ended = await eventually(
      `${name} has ended`,
      () => of().find(({ type }) => type === 'run-completed' || type === 'run-failed'),
      50_000,
    );
    const artifacts = (): ArtifactWritten[] => this.#artifacts.filter((artifact) => artifact.runId === runId);
    return {
      type: ended.type as Outcome['type'],
      data: ended.data as Outcome['data'],
      get events() {
        return of();
      },
      get artifacts() {
        return artifacts();
      },
      value: async (task, wanted) => {
        const { artifact } = await eventually(`${task} wrote ${wanted}`, () =>
          artifacts().find((written) => written.taskId === task && written.artifact.name === wanted),
        );
        return decodeArtifact(artifact.codec, artifact.inline ?? (await runtime.parts.blobs.get(artifact.hash)));
      },
    };
  }

  async close(): Promise<void> {
    await this.#worker?.close();
    for (const part of this.#open.reverse()) await part.close();
    await this.#executor?.close();
    await this.test.close();
    if (this.#directory !== '') await rm(this.#directory, { recursive: true, force: true });
  }
}

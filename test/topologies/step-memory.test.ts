/** Memoised tasks: `run-progress` and `step-memory` as they say things to each other over `memory` and `runs`. */
import { beforeEach, describe, expect, it } from 'vitest';
import { createTopologyDriver, type TopologyDriver } from '../../runtime/testing/index.ts';
import type { FlowCode } from '../../runtime/ports/flow-code.ts';
import type { EventData } from '../../schemas/events.ts';
import type { FlowGraph } from '../../schemas/flow-graph.ts';
import { flow, type MemoiseOptions } from '../../sdk/index.ts';
import { runProgress } from '../../topologies/run-progress.ts';
import { stepMemory } from '../../topologies/step-memory.ts';
import { artifact, idBeside, RunDriver } from './run-progress-fixture.ts';

const hours = (count: number): number => count * 3_600_000;

const memoised = (memoise: boolean | MemoiseOptions = true): unknown =>
  flow('tested')
    .parameter('seed', { type: 'integer', default: 1 })
    .step('load', () => ({ rows: 1 }))
    .step('train', () => ({ model: 1 }), { memoise, catch: 'failure' })
    .step('tell', () => ({}));

const each = (): unknown =>
  flow('tested')
    .step('load', () => ({ rows: [1] }))
    .foreach(
      'parts',
      ({ rows }) => rows,
      (part) => part.step('fit', () => ({ fitted: 1 }), { memoise: true }),
    )
    .join('all', () => ({}));

const digests = (...texts: string[]): Buffer => Buffer.concat(texts.map((text) => Buffer.alloc(16, text)));

/** Runs on one partition, and the memory that they share. */
class World {
  readonly runs: TopologyDriver<'runs'>;
  readonly memory: TopologyDriver<'memory'>;
  readonly #heard = new Set<string>();
  #count = 0;

  constructor(runs: TopologyDriver<'runs'>, memory: TopologyDriver<'memory'>) {
    this.runs = runs;
    this.memory = memory;
  }

  static async open(): Promise<World> {
    return new World(await createTopologyDriver(runProgress), await createTopologyDriver(stepMemory));
  }

  start(chain: unknown, parameters: object = {}, changed: Partial<EventData['runs']['run-requested']> = {}): RunDriver {
    const run = new RunDriver(this.runs, idBeside(`memo-${this.#count++}`));
    run.request((chain as FlowCode).graph, parameters, null, changed);
    return run;
  }

  /** Carries what a run has said to the memory, and its answers back. */
  answer(run: RunDriver): void {
    for (const { id, ...said } of run.outputs.filter(({ topic }) => topic === 'memory')) {
      if (this.#heard.has(id)) continue;
      this.#heard.add(id);
      this.memory.pipe(said as never);
    }
    for (const said of this.memory.takeOutputs()) this.runs.pipe(said as never);
    run.take();
  }

  /** Runs load with these rows, then train unless it is remembered, then tell; answers what became of train. */
  whole(rows: string, parameters: object = {}, options: { memoise?: MemoiseOptions; slotMs?: number } = {}): string {
    const { memoise, slotMs = null } = options;
    const run = this.start(memoised(memoise), parameters, { slotMs });
    run.run('load', [artifact('rows', rows)]);
    this.answer(run);
    if (!run.closed().some((what) => what.startsWith('train'))) run.run('train', [artifact('model', rows)]);
    this.answer(run);
    run.run('tell');
    expect(run.types().at(-1)).toBe('run-completed');
    return run.closed()[1] ?? '';
  }
}

let world: World;
beforeEach(async () => {
  world = await World.open();
});

describe('a memoised task', () => {
  it('runs once for the same code, inputs and parameters, and again when one of them differs', () => {
    expect(world.whole('a')).toBe('train completed');
    expect(world.whole('a')).toBe('train recalled');
    expect(world.whole('b')).toBe('train completed');
    expect(world.whole('a', { seed: 2 })).toBe('train completed');
    expect(world.whole('a')).toBe('train recalled');
    const { outcomesSought, outcomesFound, outcomesUnknown } = world.memory.counters();
    expect({ outcomesSought, outcomesFound, outcomesUnknown }).toEqual({
      outcomesSought: 5,
      outcomesFound: 2,
      outcomesUnknown: 3,
    });
    const { tasksOpened, tasksCompleted, tasksRecalled } = world.runs.counters();
    expect({ tasksOpened, tasksCompleted, tasksRecalled }).toEqual({
      tasksOpened: 15,
      tasksCompleted: 13,
      tasksRecalled: 2,
    });
  });

  it('ends as the one that is remembered: artifacts by reference, what it asked for, and where it comes from', () => {
    const first = world.start(memoised());
    first.run('load', [artifact('rows')]);
    world.answer(first);
    first.start('train');
    const requests = [{ kind: 'tag-run', body: JSON.stringify({ add: ['trained'] }) }];
    first.complete('train', { artifacts: [artifact('model', 'inline bytes')], requests });
    world.answer(first);
    const second = world.start(memoised());
    second.run('load', [artifact('rows')]);
    world.answer(second);
    const written = second.outputs.filter(
      ({ type, data }) => type === 'artifact-written' && (data as { taskId: string }).taskId === 'train',
    );
    expect(written.map(({ data }) => data)).toMatchObject([
      { runId: second.runId, originRunId: first.runId, artifact: artifact('model', 'inline bytes') },
      { artifact: { name: 'failure' } },
    ]);
    expect(second.types()).toContain('run-tags-changed');
    expect(second.dispatched('tell').inputs[0]?.artifacts.map(({ name }) => name)).toEqual([
      'rows',
      'model',
      'failure',
    ]);
    expect(second.said('task-closed').find(({ taskId }) => taskId === 'train')).toMatchObject({
      outcome: 'recalled',
      originRunId: first.runId,
      originTaskId: 'train',
    });
  });

  it('is not remembered when it failed, also when its failure was caught', () => {
    const failed = world.start(memoised());
    failed.run('load', [artifact('rows', 'a')]);
    world.answer(failed);
    failed.start('train');
    failed.fail('train');
    world.answer(failed);
    expect(failed.dispatched('tell')).toBeDefined();
    expect(world.whole('a')).toBe('train completed');
  });

  it('is reused within its window of time only: by the slot of the run, else by its request', () => {
    const day = Math.floor(world.runs.nowMs / hours(24)) * hours(24);
    const memoise = { window: '1d' };
    expect(world.whole('a', {}, { memoise, slotMs: day + hours(1) })).toBe('train completed');
    expect(world.whole('a', {}, { memoise, slotMs: day + hours(23) })).toBe('train recalled');
    expect(world.whole('a', {}, { memoise, slotMs: day + hours(25) })).toBe('train completed');
    expect(world.whole('a', {}, { memoise })).toBe('train recalled');
  });

  it('is forgotten when its time is over, and the newest outcome counts', () => {
    const memoise = { for: '1h' };
    expect(world.whole('a', {}, { memoise })).toBe('train completed');
    expect(world.whole('a', {}, { memoise })).toBe('train recalled');
    world.memory.advance(hours(1));
    expect(world.memory.stateKeys()).toEqual([]);
    expect(world.whole('a', {}, { memoise })).toBe('train completed');
  });

  it('takes items of a foreach one by one, by their content, wherever they lie', () => {
    const split = (hash: string, ...items: string[]) => ({
      split: {
        size: items.length,
        packs: [{ hash: hash.repeat(64), count: items.length, digests: digests(...items) }],
      },
    });
    const run = (hash: string, ...items: string[]): string[] => {
      const one = world.start(each());
      one.run('load', [artifact('rows', 'the same')]);
      one.start('parts');
      one.complete('parts', split(hash, ...items));
      world.answer(one);
      items.forEach((_, place) => {
        if (!one.closed().some((what) => what.startsWith(`parts.${place}.fit`))) one.run(`parts.${place}.fit`);
      });
      world.answer(one);
      return one.closed().filter((what) => what.includes('fit'));
    };
    run('c', 'x', 'y');
    expect(run('d', 'y', 'z').sort()).toEqual(['parts.0.fit recalled', 'parts.1.fit completed']);
  });

  it('does not wait for ever: without an answer it is offered, and a late answer changes nothing', () => {
    world.whole('a');
    const run = world.start(memoised());
    run.run('load', [artifact('rows', 'a')]);
    expect(() => run.dispatched('train')).toThrow();
    // time moves on as the log's ticks let it: one jump would be a log that stood still
    for (let waited = 0; waited <= 60_000; waited += 5_000) run.advance(5_000);
    expect(run.dispatched('train')).toMatchObject({ attempt: 1, dispatch: 1 });
    world.answer(run);
    run.run('train', [artifact('model', 'anew')]);
    expect(run.closed()).toEqual(['load completed', 'train completed']);
    expect(world.runs.counters()['answersLate']).toBe(1);
  });

  it('runs whatever is remembered when the run says so, and is kept anew', () => {
    world.whole('a');
    const graph = (memoised() as FlowCode).graph as FlowGraph;
    const steps = graph.steps.map((step) => (step.name === 'train' ? { ...step, memoise: { refresh: true } } : step));
    const run = world.start({ graph: { ...graph, steps } });
    run.run('load', [artifact('rows', 'a')]);
    run.run('train', [artifact('model', 'anew')]);
    world.answer(run);
    expect(world.memory.counters()['outcomesKept']).toBe(2);
    expect(world.whole('a')).toBe('train recalled');
  });
});

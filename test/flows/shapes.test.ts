import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FlowBench, type Outcome } from './flow-bench.ts';

let bench: FlowBench;

beforeAll(async () => {
  bench = await FlowBench.open();
}, 60_000);

afterAll(async () => {
  await bench.close();
});

const example = (name: string): string => join(import.meta.dirname, `../../examples/shapes/${name}.ts`);
const own = (name: string): string => join(import.meta.dirname, `flows/${name}.ts`);

async function completed(file: string, parameters: object = {}): Promise<Outcome> {
  const outcome = await bench.run(file, parameters);
  expect(outcome.type, JSON.stringify(outcome.data)).toBe('run-completed');
  return outcome;
}

describe('shapes of a flow, in child processes', () => {
  it('runs a foreach once for each item, joins in the order of the items, and passes artifacts down by reference', async () => {
    const outcome = await completed(example('search'));
    expect(await outcome.value('choose', 'best')).toEqual({ rate: 0.1, depth: 3 });
    expect(await outcome.value('choose', 'order')).toEqual(Array.from({ length: 12 }, (_, index) => index));
    expect(await outcome.value('tell', 'told')).toBe('same for all: 0.1 3');
    expect(await outcome.value('trials.11.fit', 'trial')).toEqual({ rate: 1, depth: 4 });
    const hashes = outcome.artifacts
      .filter(({ artifact }) => artifact.name === 'note')
      .map(({ artifact }) => artifact.hash);
    expect(hashes).toHaveLength(2);
    expect(new Set(hashes).size).toBe(1);
  });

  it('nests a switch in a foreach in a foreach, also over no items', async () => {
    const outcome = await completed(example('nested'));
    expect(await outcome.value('report', 'report')).toEqual([
      { region: 'north', total: 7, labels: ['0.0=6', '0.1=1'] },
      { region: 'south', total: 2, labels: ['1.0=2'] },
      { region: 'empty', total: 0, labels: [] },
    ]);
    expect(outcome.artifacts.some(({ taskId }) => taskId === 'regions.0.sales.1.size.big.count')).toBe(false);
  });

  it('repeats a step until it says so, with the round in its index', async () => {
    const outcome = await completed(example('refine'));
    expect(await outcome.value('tell', 'told')).toBe('1.414214 after 5 rounds');
    expect(outcome.artifacts.filter(({ step }) => step === 'improve.round').map(({ taskId }) => taskId)).toContain(
      'improve.4.round',
    );
  });

  it('begins the members of a gang together; they reach rank 0', async () => {
    const outcome = await completed(example('gang'));
    expect(await outcome.value('collect', 'ranks')).toEqual([0, 1, 2]);
    expect(await outcome.value('collect', 'sum')).toBe(3);
  });

  it('packs the results of a wide foreach for its join', async () => {
    const outcome = await completed(own('wide'), { n: 200 });
    expect(await outcome.value('sum', 'total')).toBe(19_900);
    expect(await outcome.value('sum', 'big')).toBe(200 * 3_000);
  });

  it('refuses too many items before one of them is begun', async () => {
    const outcome = await bench.run(own('wide'), { n: 50 }, (graph) => ({ ...graph, maxSplits: 49 }));
    expect(outcome.data).toMatchObject({
      taskId: 'rows',
      kind: 'user',
      message: expect.stringContaining('more than 49 items') as string,
    });
    expect(outcome.events.filter(({ type }) => type === 'task-started')).toHaveLength(1);
  });

  it('fails a switch without a case for its answer, and says the cases', async () => {
    const outcome = await bench.run(own('switches'), { key: 'nowhere' });
    expect(outcome.data).toMatchObject({
      kind: 'user',
      message: expect.stringMatching(/'nowhere'; its cases are/) as string,
    });
    expect(outcome.events.filter(({ type }) => type === 'task-retried')).toEqual([]);
    for (const [key, value] of [
      ['1', 'one'],
      ['true', 'yes'],
      ['text', 'text'],
    ] as const)
      expect(await (await completed(own('switches'), { key })).value('end', 'way')).toBe(value);
  });

  it('says all conflicts of a merge in one error and passes nothing down', async () => {
    const outcome = await bench.run(own('merges'), { how: 'conflict' });
    expect(outcome.data).toMatchObject({
      step: 'meet',
      message: expect.stringMatching(/cannot merge 'a', 'b':/) as string,
    });
    const solved = await completed(own('merges'), { how: 'solved' });
    expect(
      solved.artifacts
        .filter(({ taskId }) => taskId === 'meet')
        .map(({ artifact }) => artifact.name)
        .sort(),
    ).toEqual(['a', 'onlyLeft', 'same']);
    expect(await solved.value('end', 'seen')).toEqual({ a: 'mine', onlyLeft: 1, same: [1, 2] });
    const missing = await bench.run(own('merges'), { how: 'missing' });
    expect(missing.data).toMatchObject({ message: expect.stringContaining("'nothing', which no input has") as string });
  });

  it('catches the failure of the last attempt, also of a killed process, and goes on', async () => {
    const outcome = await completed(own('catches'), { how: 'throw' });
    expect(await outcome.value('end', 'seen')).toMatchObject({
      kind: 'user',
      message: 'it broke',
      attempt: 2,
      step: 'risky',
    });
    const killed = await completed(own('catches'), { how: 'kill' });
    expect(await killed.value('end', 'seen')).toMatchObject({ kind: 'killed', attempt: 2 });
    expect(await (await completed(own('catches'), { how: 'work' })).value('end', 'seen')).toBeNull();
  });

  it('sets variables and secrets for one step only, and masks secrets in its log and error', async () => {
    process.env['SHAPES_TEST_SECRET'] = 'tell-nobody';
    const outcome = await bench.run(own('secrets'));
    expect(JSON.stringify(outcome.data)).toContain('the secret is ***');
    expect(JSON.stringify(outcome.events)).not.toContain('tell-nobody');
    const failed = outcome.events.find(({ type }) => type === 'task-failed');
    const { logs } = failed?.data as { logs: { hash: string } };
    const log = (await bench.test.runtime.parts.blobs.get(logs.hash)).toString('utf8');
    expect(log).toMatch(/^\S+Z out plain \*\*\*\n\S+Z err Error: the secret is \*\*\*\n/);
    expect(log).not.toContain('tell-nobody');
  });

  it('runs exit hooks after the end, whose failure changes nothing', async () => {
    const outcome = await bench.run(own('hooks'));
    expect(outcome.type).toBe('run-failed');
    const hook = await waitFor(() =>
      outcome.events.find(({ type, data }) => type === 'task-failed' && 'taskId' in data && data.taskId === '-error'),
    );
    expect(hook.data).toMatchObject({ message: 'told: breaks user on purpose' });
    expect(outcome.artifacts).toEqual([]);
  });
});

async function waitFor<T>(find: () => T | undefined): Promise<T> {
  const { eventually } = await import('../../runtime/testing/index.ts');
  return await eventually('the hook has ended', find);
}

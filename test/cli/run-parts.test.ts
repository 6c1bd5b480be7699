import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { finiteNumber, namedValue, namedValues, wholeNumber } from '../../cli/arguments.ts';
import { loadDefault } from '../../cli/load-file.ts';
import { parametersOfWords } from '../../cli/run/given-parameters.ts';
import { changedGraph } from '../../cli/run/graph-changes.ts';
import { RunProgress, type RunEvent } from '../../cli/run/run-progress.ts';
import { LiveView, PlainView } from '../../cli/run/run-views.ts';
import { waitingText } from '../../cli/run/waiting-text.ts';
import { parameterProblems, type ParameterSpec, resolveParameters } from '../../schemas/flow-parameters.ts';
import { flow } from '../../sdk/index.ts';
import type { FlowGraph } from '../../schemas/flow-graph.ts';

const specs: Readonly<Record<string, ParameterSpec>> = {
  rates: { type: 'list', of: 'number', required: false },
  maxDepth: { type: 'integer', required: false, default: 3 },
  mode: { type: 'enum', values: ['fast', 3, true], required: true },
  quiet: { type: 'boolean', required: false },
  words: { type: 'file', required: false, default: { path: 'words.txt' } },
};

function resolved(given: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const answer = resolveParameters(specs, given);
  if (answer.problems !== undefined) throw new Error(answer.problems.join('; '));
  return answer.values;
}

it('a file that is loaded has every room of the package that a step has', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-rooms-'));
  try {
    const file = join(directory, 'rooms.ts');
    await writeFile(
      file,
      "import { flow } from 'millrace';\nimport { flow as same } from 'millrace/flow';\nimport * as more from 'millrace/statistics';\nexport default [flow === same, Object.keys(more).length > 0];",
    );
    expect(await loadDefault(file)).toEqual([true, true]);
    await writeFile(file, "import 'millrace/nothing';\nexport default 1;");
    await expect(loadDefault(file)).rejects.toThrow('millrace/nothing');
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

describe('what a person types', () => {
  it.each(['x', '', ' ', '0', '-1', '1.5', '1e3', '0x10', '9999999999', 'NaN', 'Infinity'])(
    'is no whole number when it is %j, and the error names the option and the text',
    (text) => {
      expect(() => wholeNumber('--limit', text)).toThrow(`--limit must be a whole number from 1, got '${text}'`);
    },
  );

  it.each(['', ' ', 'high', 'NaN', 'Infinity'])('is no finite number when it is %j', (text) => {
    expect(() => finiteNumber('--truth', text)).toThrow(`--truth must be a finite number, got '${text}'`);
  });

  it('keeps within bounds, and what was not given stays so', () => {
    expect([
      wholeNumber('--row', '0', { least: 0 }),
      wholeNumber('--row', undefined),
      finiteNumber('-x', '-2.5e3'),
    ]).toEqual([0, undefined, -2500]);
    expect(() => wholeNumber('--max', '11', { most: 10 })).toThrow('from 1 to 10');
  });

  it('is a pair only with a name before the sign', () => {
    expect(namedValues('-P', ['a=1=2', 'b='])).toEqual({ a: '1=2', b: '' });
    for (const pair of ['a', '=a'])
      expect(() => namedValues('-P', [pair])).toThrow(`-P ${pair}: write it as name=value`);
    expect(namedValue('--header', 'authorization: Bearer a=b', ':')).toEqual(['authorization', ' Bearer a=b']);
  });
});

describe('parameters of a run', () => {
  it('are read from flags, however they are written', () => {
    expect(parametersOfWords(['--max-depth', '-4', '--quiet', '--mode=fast'], specs)).toEqual({
      maxDepth: '-4',
      quiet: true,
      mode: 'fast',
    });
    expect(parametersOfWords(['--maxDepth=7', '--no-quiet'], specs)).toEqual({ maxDepth: '7', quiet: false });
    expect(parametersOfWords(['--quiet', 'false', '--MODE', '3'], specs)).toEqual({ quiet: 'false', mode: '3' });
  });

  it('are refused with what was meant', () => {
    const refused = (...words: readonly string[]) => expect(() => parametersOfWords(words, specs));
    refused('--rats', '1').toThrow('Did you mean --rates?');
    refused('--max-depth').toThrow('--max-depth needs a value');
    refused('fast').toThrow("'fast' is no parameter");
  });

  it('are resolved by type, and once more without a change', () => {
    const given = { rates: '0.5, 2', mode: '3', words: 'the content' };
    const values = resolved(given);
    expect(values).toEqual({ rates: [0.5, 2], maxDepth: 3, mode: 3, quiet: null, words: { content: 'the content' } });
    expect(resolved(values)).toEqual(values);
    const byDefault = resolved({ mode: 'true', rates: '[1, "2"]' });
    expect(byDefault).toMatchObject({ mode: true, rates: [1, 2], words: { path: 'words.txt' } });
    expect(resolved(byDefault)).toEqual(byDefault);
  });

  it('are refused with all that is wrong at once', () => {
    const given = { rates: '1,x', mode: 'medium', maxDepth: 1.5, words: { path: '../secret' }, more: 1 };
    const { problems = [] } = resolveParameters(specs, given);
    expect(problems.join('\n')).toMatch(
      /no parameter 'more'[^]*list of numbers[^]*an integer[^]*one of "fast", 3, true[^]*'words'/,
    );
    const declared = {
      a: { type: 'enum', values: ['x', 'x'], required: false },
      b: { type: 'list', of: 'things', required: false },
      c: { type: 'enum', values: ['x'], default: 'y', required: false },
    };
    expect(parameterProblems(declared)).toHaveLength(3);
  });
});

const looping = flow('looping')
  .onError(() => undefined)
  .step('load', () => ({ n: 3 }), { retry: 0 })
  .foreach(
    'trials',
    ({ n }) => [n],
    (each) => each.step('fit', () => ({ x: 1 })),
  )
  .join('choose', () => ({})) as unknown as { readonly graph: FlowGraph };

describe('options for one run', () => {
  it('retries steps that say nothing themselves', () => {
    const { steps, maxWorkers } = changedGraph(looping.graph, { with: ['retry:times=2,backoffMs=5'], maxWorkers: '2' });
    const retries = Object.fromEntries(steps.map((step) => [step.name, 'retry' in step ? step.retry : undefined]));
    expect(retries).toMatchObject({ load: { times: 0 }, 'trials.fit': { times: 2, backoffMs: 5 } });
    expect(maxWorkers).toBe(2);
    expect(() => changedGraph(looping.graph, { with: ['retries'] })).toThrow('--with retry:5');
    expect(() => changedGraph(looping.graph, { with: [], maxWorkers: '0' })).toThrow(
      '--max-workers must be a whole number from 1 to',
    );
  });
});

const token = { attempt: 1, dispatch: 1, incarnation: 'i' };
const event = (type: string, timeMs: number, data: object): RunEvent =>
  ({ type, timeMs, data: { runId: 'r', token, ...data } }) as unknown as RunEvent;

describe('the picture of a run that goes on', () => {
  it('says which compute class nobody serves, for how long, and what to start, until somebody comes', () => {
    const progress = new RunProgress(looping.graph);
    const drawn: string[] = [];
    const said: string[] = [];
    const live = new LiveView(
      '1f3a9c2e00',
      progress,
      { columns: 300, write: (text: string) => drawn.push(text) },
      () => 90_000,
    );
    const plain = new PlainView('1f3a9c2e00', progress, (text) => said.push(text));
    const take = (one: RunEvent): void => {
      progress.take(one);
      live.event(one);
      plain.event(one);
    };
    const lapsed = { phase: 'dispatched', compute: 'gpu', attempt: 1 };
    for (const [at, waitsSince] of [20_000, 10_000, 30_000].entries())
      take(event('phase-lapsed', 70_000, { ...lapsed, taskId: `trials.${at}.fit`, dispatch: 1, waitsSince }));
    live.draw();
    const text = "trials.1.fit and 2 more have waited 80 s for a worker of the compute class 'gpu'";
    expect(drawn.join('')).toContain(text);
    expect(said.join('\n')).toMatch(/trials\.0\.fit has waited 50 s.*Start one: .*worker\.compute=gpu/);
    // once for each class, however many lapses there are
    expect(said).toHaveLength(1);
    drawn.length = 0;
    for (let at = 0; at < 3; at++) take(event('task-started', 91_000, { taskId: `trials.${at}.fit` }));
    live.draw();
    live.close();
    expect(drawn.join('')).not.toContain('compute class');
  });

  it('names a class once in what to start, also the one that is there by default', () => {
    const waiting = { taskId: 'load', tasks: 1, compute: 'process', sinceMs: 0 };
    expect(waitingText(waiting, 1_000)).toMatch(/run the platform with --set worker\.compute=process$/);
    expect(waitingText({ ...waiting, compute: 'gpu' }, 1_000)).toMatch(/--set worker\.compute=process,gpu$/);
  });

  it('draws a foreach as one line with its bar, what runs and the time that is left, and says above what ended', () => {
    const written: string[] = [];
    const progress = new RunProgress(looping.graph);
    const terminal = { columns: 100, write: (text: string) => written.push(text) };
    const view = new LiveView('1f3a9c2e00', progress, terminal, () => 6_000);
    const take = (one: RunEvent): void => {
      progress.take(one);
      view.event(one);
    };
    take(event('task-started', 900, { taskId: 'load' }));
    take(event('task-completed', 950, { taskId: 'load', userMs: 40, split: null }));
    take(event('task-completed', 1_000, { taskId: 'trials', userMs: 1, split: { size: 10, packs: [] } }));
    for (let at = 0; at < 5; at++) take(event('task-started', 1_000, { taskId: `trials.${at}.fit` }));
    for (let at = 0; at < 4; at++) take(event('task-completed', 5_000, { taskId: `trials.${at}.fit`, userMs: 1 }));
    take(event('task-retried', 5_000, { taskId: 'trials.4.fit', attempt: 2, kind: 'user', message: 'm' }));
    take(event('task-started', 5_500, { taskId: 'trials.4.fit' }));
    view.line({ taskId: 'trials.4.fit', step: 'trials.fit', attempt: 2, line: 0, stream: 'out', at: 0, text: 'hello' });
    view.draw();
    const [first = ''] = written;
    expect(first).toContain('✔ load');
    expect(first).toContain('[1f3a9c2e/trials.4.fit#2] hello');
    expect(first.trimEnd().split('\n').at(-1)).toMatch(
      /trials\.fit +█+▍? +4\/10 {2}1 running {2}1 retried {2}about 7\.5 s left$/,
    );
    view.draw();
    // one line is drawn again in its place
    expect(written[1]).toContain('\u001b[1A');
    view.close();
    expect(written.at(-1)).toContain('\u001b[?25h');
  });

  it('says how many rounds of a repeat are done, of many only every tenth', () => {
    const rounds = flow('rounds').repeat('improve', () => ({ x: 1 }), { until: () => false, most: 50 });
    const progress = new RunProgress((rounds as unknown as { readonly graph: FlowGraph }).graph);
    const said: string[] = [];
    const view = new PlainView('1f3a9c2e00', progress, (text) => said.push(text));
    for (let at = 0; at < 25; at++) {
      const one = event('task-completed', 1_000 + at, { taskId: `improve.${at}.round`, userMs: 1, split: null });
      progress.take(one);
      view.event(one);
    }
    const counts = said.map((text) => /improve\.round (\d+) done/.exec(text)?.[1]).map(Number);
    expect(counts).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20]);
  });

  it('says what is taken over, and goes on in place with what had ended', () => {
    const progress = new RunProgress();
    const graph = JSON.stringify(looping.graph);
    progress.take(event('run-requested', 10, { graph, cause: { kind: 'resume', id: 'r1' } }));
    progress.take(event('task-closed', 20, { taskId: 'load', outcome: 'cloned', originRunId: 'o' }));
    progress.take(event('task-completed', 30, { taskId: 'trials.0.fit', userMs: 1 }));
    progress.take(event('run-failed', 40, { taskId: 'choose', step: 'choose', kind: 'user', message: 'broke' }));
    expect(progress.taken).toEqual({ over: 1, of: 2 });
    progress.take(event('run-requested', 50, { graph: '', cause: { kind: 'resume', id: 'r2' } }));
    expect([progress.end, progress.cause, progress.over]).toEqual([undefined, undefined, false]);
    progress.take(event('task-started', 60, { taskId: 'trials.0.fit' }));
    progress.take(event('task-completed', 70, { taskId: 'trials.0.fit', userMs: 1 }));
    expect(progress.taken).toEqual({ over: 1, of: 2 });
  });

  it('names the first cause, and waits for the exit hook', () => {
    const progress = new RunProgress(looping.graph);
    progress.take(event('task-failed', 10, { taskId: 'trials.1.fit', kind: 'user', message: 'broke', stack: 'at x' }));
    progress.take(
      event('run-failed', 20, { taskId: 'trials.1.fit', step: 'trials.fit', kind: 'user', message: 'broke' }),
    );
    progress.take(event('task-failed', 30, { taskId: 'trials.2.fit', kind: 'killed', message: 'later', stack: '' }));
    expect(progress.cause).toMatchObject({ taskId: 'trials.1.fit', attempt: 1, message: 'broke' });
    expect(progress.over).toBe(false);
    progress.take(event('task-started', 40, { taskId: '-error' }));
    progress.take(event('task-completed', 50, { taskId: '-error', userMs: 1 }));
    expect(progress.over).toBe(true);
  });
});

/** `millrace run` and `millrace logs`, as a data scientist meets them. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as bodyOf } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { untilNobodyFollows } from '../../cli/shared-directory.ts';
import { bundleFlow } from '../../runtime/adapters/bundler/bundle-flow.ts';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { eventually } from '../../runtime/testing/index.ts';
import { type Client, connect } from '../../sdk/client/index.ts';
import { type Platform, startPlatform } from '../../services/all-in-one/platform.ts';
import type { Dataset, RunEvent } from '../../topologies/lineage/open-lineage.ts';
import { millrace, type Said } from './cli-driver.ts';

let directory: string;
let platform: Platform;
let client: Client;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-run-'));
  const configuration = resolveConfiguration({
    flags: { directory: join(directory, 'millrace'), 'http.port': '0' },
    environment: {},
  });
  platform = await startPlatform({
    configuration,
    only: ['flow-starts', 'run-progress', 'lineage', 'step-worker', 'provenance', 'gateway'],
  });
  await platform.ready();
  client = connect({ url: platform.url! });
}, 60_000);

afterAll(async () => {
  await platform.close();
  await rm(directory, { recursive: true, force: true });
});

const file = (name: string): string => join(import.meta.dirname, 'flows', `${name}.ts`);
const cli = (...words: readonly string[]): Promise<Said> => millrace([...words, '--url', platform.url!]);

interface Told {
  readonly type: string;
  readonly [name: string]: unknown;
}

async function json(...words: readonly string[]): Promise<{ events: readonly Told[]; run: Run; code: number }> {
  const { out, code, err } = await cli('run', ...words, '--json');
  expect(out, err).not.toBe('');
  const events = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Told);
  return { events, run: events.at(-1)?.['run'] as Run, code };
}

interface Run {
  readonly runId: string;
  readonly status: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

describe('millrace run', () => {
  it('lists the parameters of a flow with type, default and help', async () => {
    const { out, code } = await cli('run', file('search'), '--help');
    expect(code).toBe(0);
    const plain = out.replaceAll(/\u001b\[[0-9;]*m/g, '');
    expect(plain).toMatch(
      /--rates <list of number> +learning rates to try\n +default \[0\.1,1\]\n +MILLRACE_RUN_RATES/,
    );
    expect(plain).toMatch(/--max-depth <integer> +default 3\n/);
    expect(plain).toMatch(/--mode <fast\|slow\|3> +default fast\n/);
    expect(plain).toMatch(/--words <file as text> +what to read\n +default words\.txt\n/);
    expect(plain).toMatch(/--extra <json> +optional\n/);
    expect(plain).toMatch(/Configuration, [^\n]*\n +limits +\{"depth":3\}\n/);
  });

  it('is followed by those for whose sake a command that opened the directory stays', async () => {
    const bundle = await bundleFlow(file('until'));
    const marker = join(directory, 'marker');
    const { runId } = await client.flows.run(bundle, { file: marker });
    let stays = true;
    const following = client.runs.follow(runId, () => undefined);
    await eventually('the run is followed', () => platform.followers() === 1);
    const left = untilNobodyFollows(platform).then(() => (stays = false));
    await writeFile(marker, '');
    await eventually('the run has ended', async () => (await client.runs.show(runId)).endedAt ?? undefined);
    expect(stays).toBe(true);
    await following.close();
    await left;
  });

  it('leaves values that JSON does not have, which are shown for what they are', async () => {
    const { run } = await json(file('values'));
    const { out, code } = await cli('dump', run.runId, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      tasks: {
        leave: {
          big: '18446744073709551616',
          byName: { a: 'NaN' },
          byNumber: [[1, 'one']],
          names: ['b', 'c'],
          weights: { first: [0.5, 1], bytes: '3 bytes' },
          day: '1970-01-01T00:00:00.000Z',
        },
      },
    });
    expect((await cli('artifacts', 'get', `${run.runId}/leave/big`)).out).toContain('18446744073709551616');
  });

  it('takes parameters of every type from the command line and the environment, files by their content', async () => {
    const table = join(directory, 'table.json');
    await writeFile(table, '{"a": [1, 2]}');
    process.env['MILLRACE_RUN_MODE'] = '3';
    process.env['MILLRACE_RUN_RATES'] = '7';
    try {
      const words = [
        '--rates',
        '0.5, 2',
        '--maxDepth=7',
        '-P',
        'extra={"deep":[true]}',
        '--table',
        table,
        '--tag',
        'night',
      ];
      const { run, code } = await json(file('search'), ...words);
      expect(code).toBe(0);
      expect(run.status).toBe('completed');
      const seen = await artifact(run.runId, 'prepare', 'seen');
      expect(seen).toEqual({
        words: 'apple pear\n',
        table: { a: [1, 2] },
        mode: 3,
        maxDepth: 7,
        extra: { deep: [true] },
        rates: [0.5, 2],
      });
      expect(await artifact(run.runId, 'choose', 'best')).toBe(2);
    } finally {
      delete process.env['MILLRACE_RUN_MODE'];
      delete process.env['MILLRACE_RUN_RATES'];
    }
  });

  it('evaluates a computed default once, for all tasks of the run', async () => {
    const { run } = await json(file('search'));
    expect(await artifact(run.runId, 'choose', 'stamps')).toBe(1);
    const again = await json(file('search'));
    expect(again.run.parameters['stamp']).not.toBe(run.parameters['stamp']);
  });

  it('says what is wrong with a parameter, and runs nothing', async () => {
    const wrong = async (...words: readonly string[]): Promise<Said> => {
      const said = await cli('run', file('search'), ...words);
      expect(said.code).toBe(2);
      return said;
    };
    const { err } = await wrong('--mode', 'medium', '--rates', '1,x');
    expect(err).toContain(`must be one of "fast", "slow", 3, got "medium"`);
    expect(err).toContain("parameter 'rates' must be a list of numbers");
    expect((await wrong('--table', 'nowhere.json')).err).toContain('nowhere.json cannot be read');
  });

  it('says what is wrong with a file, and runs nothing', async () => {
    const wrong = async (text?: string): Promise<string> => {
      const path = join(directory, 'wrong.ts');
      if (text !== undefined) await writeFile(path, text);
      const { code, err, out } = await cli('run', path);
      expect(code).not.toBe(0);
      expect(out).toBe('');
      return err;
    };
    expect(await wrong()).toMatch(/there is no file .*wrong\.ts/);
    expect(await wrong('export default {\n')).toMatch(/wrong\.ts:2: Expected identifier/);
    expect(await wrong("import 'nowhere-to-be-found';\n")).toMatch(
      /wrong\.ts:1: Could not resolve "nowhere-to-be-found"/,
    );
    expect(await wrong('export const flow = 1;\n')).toMatch(
      /default export is no flow: write `export default flow\('name'\)/,
    );
  });

  it('deploys what it runs, from a folder in which nothing is installed', async () => {
    const path = join(directory, 'own.ts');
    await writeFile(path, "import { flow } from 'millrace';\nexport default flow('own').step('one', () => ({}));\n");
    expect(await cli('deploy', path)).toMatchObject({
      code: 0,
      out: expect.stringContaining('flow own is at version 1'),
    });
    await writeFile(
      path,
      "import { flow } from 'millrace';\nthrow new Error('not today');\nexport default flow('own');\n",
    );
    const { code, err } = await cli('deploy', path);
    expect(code).toBe(2);
    expect(err).toContain('own.ts does not load: not today');
  });

  it('prefixes logs with run and task, and ends with the outcome, the first cause and what to do next', async () => {
    const { out, err, code } = await cli('run', file('search'), '--bad', '--with', 'retry:1', '--max-workers', '1');
    expect(code).toBe(1);
    expect(err).toMatch(/\[[0-9a-f]{8}\/prepare\] preparing\n/);
    expect(err).toMatch(/\[[0-9a-f]{8}\/trials\.1\.fit#2\] fitting 1 attempt 2\n/);
    expect(err).toContain('↻ trials.1.fit attempt 2 follows');
    const [outcome, cause] = out.split('\n');
    expect(outcome).toMatch(/^✘ failed search run [0-9a-f]{32} after/);
    expect(cause).toBe('  first cause user in trials.1.fit (attempt 2): cannot fit 1');
    expect(err).toMatch(/Next: `millrace logs [0-9a-f]{32}\/trials\.1\.fit`/);
    const task = /millrace logs ([0-9a-f]{32}\/trials\.1\.fit)/.exec(err)![1]!;
    const read = await cli('logs', task);
    expect(read.out).toMatch(/Error: cannot fit 1\n.* at .*search\.ts:28:/);
    expect(`${err}${read.out}`).not.toMatch(/ at .*(run-step|step-child|node:internal)/);
    expect((await cli('logs', task, '--stream', 'trace')).out).toMatch(/search\.ts:28:[^]* at .*step-child/);
    expect((await cli('logs', task, '--stream', 'both')).err).toContain('--stream must be out, err, trace');
  });

  it('streams events and lines as JSON', async () => {
    const { events } = await json(file('search'), '--rates', '1');
    expect(events.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['run-requested', 'task-started', 'log', 'task-completed', 'run-completed', 'run']),
    );
    const lines = events.filter(({ type, taskId }) => type === 'log' && taskId === 'prepare');
    expect(lines).toMatchObject([
      { step: 'prepare', attempt: 1, line: 0, stream: 'out', text: 'preparing' },
      { step: 'prepare', attempt: 1, line: 1, stream: 'err', text: 'to the error stream' },
    ]);
  });

  it('cancels the run at Ctrl-C and ends what its steps started; lines can be read live, afterwards, and searched', async () => {
    let text = '';
    const running = millrace(['run', file('slow'), '--url', platform.url!], (chunk) => {
      text += chunk;
    });
    const child = await eventually('the step has begun', () => /child (\d+)/.exec(text)?.[1], 20_000);
    const runId = /run ([0-9a-f]{32})/.exec(text)![1]!;
    const live = readLines(runId);
    await eventually('a line came live', () => text.includes('second 0'), 10_000);
    expect(existsSync(`/proc/${child}`)).toBe(true);
    process.emit('SIGINT');
    const { code, out } = await running;
    expect(code).toBe(130);
    expect(out).toContain('■ cancelled slow');
    expect((await client.runs.show(runId)).status).toBe('cancelled');
    await eventually('the child is gone', () => !existsSync(`/proc/${child}`));
    expect((await live).slice(0, 2)).toEqual([`child ${child}`, 'second 0']);
    const found = await cli('logs', `${runId}/wait`, '--grep', 'SECOND', '--json');
    const [first] = found.out.split('\n');
    expect(JSON.parse(first!)).toMatchObject({ taskId: 'wait', stream: 'out', line: 1, text: 'second 0' });
    expect((await cli('logs', `${runId}/elsewhere`)).out).toBe('');
    expect((await cli('logs', '0'.repeat(32))).code).toBe(3);
    expect((await cli('logs', 'what')).code).toBe(2);
  });
});

const isEndOf =
  (job: string) =>
  ({ eventType, job: { name } }: RunEvent): boolean =>
    eventType === 'COMPLETE' && name === job;
const versions = (datasets: readonly Dataset[] = []): unknown[] =>
  datasets.map(({ name, facets }) => [name, facets['version']]);

describe('millrace lineage', () => {
  it('posts OpenLineage events to a collector, in order, again when it was away: what each step has read and written', async () => {
    const heard: RunEvent[] = [];
    let posts = 0;
    const collector = createServer((request, response) => {
      void bodyOf(request).then((body) => {
        posts += 1;
        // away at first
        if (posts > 1) heard.push(JSON.parse(body) as RunEvent);
        response.writeHead(posts > 1 ? 201 : 503).end();
      });
    });
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
    const { port } = collector.address() as AddressInfo;
    try {
      const { run } = await json(file('search'), '--rates', '1');
      const posting = cli('lineage', '--from-beginning', '--to', `http://127.0.0.1:${port}/api/v1/lineage`);
      const ofRun = (): readonly RunEvent[] =>
        heard.filter(({ run: { facets } }) =>
          [facets['millrace_run'], facets['millrace_task']].some(
            (known) => (known as { runId?: unknown } | undefined)?.runId === run.runId,
          ),
        );
      await eventually('its end is there', () => ofRun().some(isEndOf('search')), 20_000);
      process.emit('SIGINT');
      expect((await posting).err).toContain('answered 503');
      const events = ofRun();
      expect(events.map(({ eventType, job }) => `${eventType} ${job.name}`)).toEqual([
        'START search',
        ...['prepare', 'trials', 'trials.fit', 'choose'].flatMap((step) => [
          `START search.${step}`,
          `COMPLETE search.${step}`,
        ]),
        'COMPLETE search',
      ]);
      const joined = events.find(isEndOf('search.choose'));
      const fitted = events.find(isEndOf('search.trials.fit'));
      expect(versions(joined?.inputs)).toEqual(versions(fitted?.outputs));
    } finally {
      collector.close();
    }
  });
});

describe('millrace cards', () => {
  it('shows cards while their step runs and afterwards, as one page without network; one that fails harms nothing', async () => {
    const gate = join(directory, 'gate');
    let text = '';
    const running = millrace(['run', file('cards'), '--gate', gate, '--url', platform.url!], (chunk) => {
      text += chunk;
    });
    const runId = await eventually('the run has begun', () => /run ([0-9a-f]{32})/.exec(text)?.[1], 20_000);
    await eventually('both cards are live', async () => (await client.runs.cards(runId)).length === 2, 20_000);
    expect(await client.runs.cards(runId)).toMatchObject([
      { taskId: 'train', attempt: 1, card: 'card', live: true },
      { taskId: 'train', attempt: 1, card: 'second', live: true },
    ]);
    expect(await client.runs.card(runId, 'train', { card: 'card' })).toContain('1 / 4');
    await writeFile(gate, '');
    expect((await running).code).toBe(1);

    const out = join(directory, 'card.html');
    expect((await cli('cards', 'get', `${runId}/train`, '--card', 'card', '--out', out)).code).toBe(0);
    const page = await readFile(out, 'utf8');
    expect(page).toContain('<h1>Training</h1>');
    expect(page).toContain('<strong>diamonds</strong>');
    expect(page).toContain('&lt;script&gt;');
    expect(page).toContain('4 / 4');
    expect(page).toContain('>Loss</text>');
    expect(page).toContain('<td class="number">3.25</td>');
    expect(page).toContain('src="data:image/png;base64,');
    expect(page).toContain('mark must be one of line');
    expect(page).toContain('a table takes a list of objects');
    expect(page).toContain('an image takes the file');
    expect(page).toMatch(/role="alert"><strong>[^<]*circular/);
    expect(page).not.toMatch(/<script|src="http|http-equiv="refresh"/);
    const failed = JSON.parse((await cli('cards', 'get', `${runId}/fail`, '--json')).out) as { components: object[] };
    expect(failed.components).toMatchObject([{ type: 'markdown' }, { type: 'error', message: 'it broke' }]);
    const listed = await cli('cards', 'list', runId, '--json');
    expect(JSON.parse(listed.out)).toHaveLength(3);
    expect((await cli('cards', 'get', `${runId}/nothing`)).err).toContain('train: card');
  });
});

async function readLines(runId: string): Promise<string[]> {
  const lines: string[] = [];
  for await (const { text } of client.runs.logs(runId, { follow: true })) lines.push(text);
  return lines;
}

/** From what was published: the artifact's value, small ones lie with their names. */
async function artifact(runId: string, task: string, name: string): Promise<unknown> {
  let found: { inline?: string | null } | undefined;
  const events = client.runs.follow(runId, (event) => {
    if (event.type !== 'task-completed' || event.data.taskId !== task) return;
    found = event.data.artifacts.find((one) => one.name === name) as never;
  });
  const { inline } = await eventually(`${task} left ${name}`, () => found);
  await events.close();
  return JSON.parse(Buffer.from(inline ?? '', 'base64').toString('utf8'));
}

/** `millrace spin`: one step of a past run again, with changed code or values. */
import { readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleFlow } from '../../runtime/adapters/bundler/bundle-flow.ts';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { eventually } from '../../runtime/testing/index.ts';
import { type Client, connect } from '../../sdk/client/index.ts';
import { type Platform, startPlatform } from '../../services/all-in-one/platform.ts';
import { endOf } from '../flows/ended-run.ts';
import { millrace, type Said } from './cli-driver.ts';

const file = join(import.meta.dirname, 'flows/spun.ts');
let directory: string;
let platform: Platform;
let client: Client;
let runId: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-spin-test-'));
  const flags = { directory: join(directory, 'millrace'), 'http.port': '0' };
  platform = await startPlatform({
    configuration: resolveConfiguration({ environment: {}, flags }),
    only: ['flow-starts', 'run-progress', 'experiment-names', 'step-worker', 'provenance', 'gateway'],
  });
  await platform.ready();
  client = connect({ url: platform.url!, actor: 'ada' });
  ({ runId } = await client.flows.run(await bundleFlow(file), {}));
  await endOf(client, runId);
}, 60_000);
afterAll(async () => {
  await platform.close();
  await rm(directory, { recursive: true, force: true });
});

const spin = (task: string, ...words: readonly string[]): Promise<Said> =>
  millrace(['spin', `${runId}/${task}`, ...words, '--url', platform.url!]);
const told = async (task: string, ...words: readonly string[]): Promise<unknown> => {
  const { out, err } = await spin(task, ...words, '--json');
  expect(out, err).not.toBe('');
  return JSON.parse(out);
};

describe('millrace spin', () => {
  it('runs a step again with the inputs of the past task, and fails as it did', async () => {
    const { out, code } = await spin('parts.1.scale');
    expect(out).toContain('a factor of 0 scales nothing');
    expect(code).toBe(1);
  });

  it('takes changed parameters, artifacts and code, and says what differs from the past', async () => {
    expect(await told('parts.1.scale', '-P', 'factor=10')).toMatchObject({
      outcome: 'completed',
      artifacts: [{ name: 'scaled', value: '40', past: 'new' }],
    });
    expect(await told('parts.1.scale', '-P', 'factor=10', '--artifact', 'weights=[1]')).toMatchObject({
      artifacts: [{ name: 'scaled', value: '20' }],
    });
    const changed = join(directory, 'changed.ts');
    const text = await readFile(file, 'utf8');
    const sdk = join(import.meta.dirname, '../../sdk/index.ts');
    await writeFile(
      changed,
      text
        .replace("'../../../sdk/index.ts'", `'${sdk}'`)
        .replace('default: 0 }', 'default: 0, help: "how much" }')
        .replace('return { scaled:', 'return { index: 7, scaled:')
        .replace('if (parameters.factor === 0) throw', 'if (parameters.factor < 0) throw'),
    );
    expect(await told('parts.2.scale', changed)).toMatchObject({
      artifacts: [
        { name: 'index', value: '7', past: 'new' },
        { name: 'scaled', value: '0', past: 'new' },
      ],
    });
    expect(await told('all')).toMatchObject({ artifacts: [{ name: 'sum', value: '0', past: 'same' }] });
  });

  it('writes what the step returns into a folder, and leaves nothing on the log', async () => {
    const events = (await millrace(['runs', 'show', runId, '--json', '--url', platform.url!])).out;
    expect(events).toContain(runId);
    await spin('parts.0.scale', '-P', 'factor=2', '--out', join(directory, 'out'));
    expect(await readFile(join(directory, 'out/scaled.json'), 'utf8')).toBe('4');
    expect((await millrace(['runs', 'show', runId, '--json', '--url', platform.url!])).out).toBe(events);
    const { runs } = await client.runs.page();
    expect(runs.map((run) => run.runId)).toEqual([runId]);
  });

  it('ends the step at Ctrl-C and keeps nothing of it, whoever else listens for the signal', async () => {
    const changed = join(directory, 'slow.ts');
    const sdk = join(import.meta.dirname, '../../sdk/index.ts');
    const text = (await readFile(file, 'utf8')).replace("'../../../sdk/index.ts'", `'${sdk}'`);
    await writeFile(
      changed,
      text.replace(
        /\(\{ item, weights \}, \{[^}]+\}\) => \{/,
        `async ({ item, weights }, { parameters, log }) => {
          log('waiting');
          await new Promise((resolve) => setTimeout(resolve, 60_000));`,
      ),
    );
    // as the program has it: leaves at once
    let left = false;
    const leave = (): void => void (left = true);
    process.on('SIGINT', leave);
    try {
      const folders = (): readonly string[] =>
        readdirSync(tmpdir()).filter((name) => /^millrace-spin-(?!test-)/.test(name));
      const before = folders();
      let heard = '';
      const spun = millrace(['spin', `${runId}/parts.1.scale`, changed, '--url', platform.url!], (chunk) => {
        heard += chunk;
      });
      await eventually('the step waits', () => heard.includes('waiting'), 20_000);
      process.emit('SIGINT');
      expect(await spun).toMatchObject({ code: 130, out: expect.stringContaining('cancelled') as string });
      expect(folders()).toEqual(before);
      expect({ left, listens: process.listeners('SIGINT').includes(leave) }).toEqual({ left: false, listens: true });
    } finally {
      process.off('SIGINT', leave);
    }
  });

  it('says which tasks and steps there are when it cannot', async () => {
    expect((await spin('nowhere')).err).toContain("no worker has begun a task 'nowhere'");
    const other = join(import.meta.dirname, 'flows/slow.ts');
    expect((await spin('load', other)).err).toMatch(/has no step 'load': its tasks are /);
  });
});

describe('tags of a step', () => {
  it('are on the run once its attempt is accepted', async () => {
    expect((await client.runs.show(runId)).tags).toEqual(['loaded']);
  });
});

/** A flow in production on a laptop, through the command line and HTTP: deployed, started by events, ends and schedules, paused, explained. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleFlow, type FlowBundle } from '../../../runtime/adapters/bundler/bundle-flow.ts';
import { resolveConfiguration } from '../../../runtime/config/resolve.ts';
import { eventually } from '../../../runtime/testing/index.ts';
import { type Client, connect } from '../../../sdk/client/index.ts';
import { type Platform, startPlatform } from '../../../services/all-in-one/platform.ts';
import { compiledFile } from '../../compiled.ts';

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const train = 'fraud.prod.train';

let directory: string;
let platform: Platform;
let client: Client;
let bundles: { readonly train: FlowBundle; readonly report: FlowBundle };

beforeAll(async () => {
  bundles = { train: await bundleFlow(file('train.ts')), report: await bundleFlow(file('report.ts')) };
  directory = await mkdtemp(join(tmpdir(), 'millrace-production-'));
  const flags = { directory, 'http.port': '0', 'worker.slots': '1' };
  platform = await startPlatform({ configuration: resolveConfiguration({ environment: {}, flags }) });
  await platform.ready();
  client = connect({ url: platform.url, actor: 'ada' });
});

afterAll(async () => {
  await platform.close();
  await rm(directory, { recursive: true, force: true });
});

interface Answer {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function millrace(...args: readonly string[]): Promise<Answer> {
  const main = compiledFile(new URL('../../../cli/main.ts', import.meta.url));
  const own = ['--url', platform.url ?? '', '--actor', 'ada'];
  const child = spawn(process.execPath, [main, ...args, ...own], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += String(chunk)));
  child.stderr.on('data', (chunk: Buffer) => (err += String(chunk)));
  const code = await new Promise<number>((resolve) => child.on('close', (status) => resolve(status ?? -1)));
  return { code, out, err };
}

async function json<T>(...args: readonly string[]): Promise<T> {
  const { code, out, err } = await millrace(...args, '--json');
  if (code !== 0) throw new Error(`millrace ${args.join(' ')} ended with ${code}: ${err}`);
  return JSON.parse(out) as T;
}

/** As a producer with CloudEvents over HTTP. */
async function send(type: string, source: string, data: object): Promise<string> {
  const headers = {
    'content-type': 'application/json',
    'ce-specversion': '1.0',
    'ce-id': `${type}-${JSON.stringify(data)}`,
    'ce-source': source,
    'ce-type': type,
  };
  const response = await fetch(`${platform.url}/api/v1/triggers`, {
    method: 'POST',
    headers,
    body: JSON.stringify(data),
  });
  return ((await response.json()) as { triggerId: string }).triggerId;
}

const explained = (eventId: string, outcome: string) =>
  eventually(`event ${eventId} is ${outcome}`, async () => {
    const explanation = await client.explainTrigger(eventId).catch(() => undefined);
    return explanation?.outcomes.some((one) => one.outcome === outcome) === true ? explanation : undefined;
  });

describe('a flow in production', () => {
  it('is deployed by branch, and by others only with its token', async () => {
    const deployed = await json<{ flow: string; token: string }>('deploy', file('train.ts'), '--production');
    expect(deployed).toMatchObject({ flow: train, version: 1, token: expect.stringMatching(/^train-0-/) });
    const bundle = bundles.train;
    const grace = connect({ url: platform.url, actor: 'grace' });
    await expect(grace.flows.deploy(bundle, { production: true })).rejects.toThrow(
      /was deployed by ada: give its production token/,
    );
    await expect(grace.flows.deploy(bundle)).resolves.toMatchObject({ flow: 'fraud.user.grace.train' });
    await expect(grace.flows.deploy(bundle, { production: true, authorize: deployed.token })).resolves.toMatchObject({
      version: 2,
    });
    await client.production.remove('fraud.user.grace.train');
    await client.flows.deploy(bundles.report, { production: true });
    const listed = await client.production.list();
    expect(listed.map(({ flow }) => flow).sort()).toEqual(['fraud.prod.report', train]);
  });

  it('is refused when its schedule has no such time zone, or when flows would start each other for ever', async () => {
    const bundle = bundles.report;
    const mars = {
      ...bundle,
      triggers: [{ schedule: { cron: '0 0 * * *', timezone: 'Mars/Base' }, catchUp: 'last', overlap: 'skip' }],
    };
    await expect(client.flows.deploy(mars, { production: true })).rejects.toThrow(/there is no time zone 'Mars\/Base'/);
    const loop = { ...bundles.train, triggers: [{ finish: 'report' }] };
    await expect(client.flows.deploy(loop, { production: true })).rejects.toThrow(
      /for ever: fraud\.prod\.train → fraud\.prod\.report → fraud\.prod\.train; remove one onFinish/,
    );
  });

  it('tells of an event what it would do, and of one that came what it did, also while it waits', async () => {
    const [dry] = await json<readonly object[]>(
      'trigger',
      'rows-arrived',
      '--data',
      '{"day":"monday","rows":3}',
      '--dry-run',
    );
    expect(dry).toMatchObject({
      flow: train,
      trigger: 'both',
      outcome: 'unmatched',
      reason: 'data.rows is 3, must be at least 10',
    });
    expect((await millrace('flows', 'start', 'train')).err).toContain(
      `there is no deployed flow 'train': did you mean ${train}?`,
    );
    const few = await send('rows-arrived', '/warehouse/eu', { day: 'monday', rows: 3 });
    const explanation = await eventually('it is handled', () => client.explainTrigger(few).catch(() => undefined));
    expect(explanation.deliveries[0]?.considered).toEqual([
      { flow: train, trigger: 'both', matched: false, reason: 'data.rows is 3, must be at least 10' },
    ]);
    const rows = await send('rows-arrived', '/warehouse/eu', { day: 'monday', rows: 30 });
    expect((await explained(rows, 'waiting')).outcomes).toMatchObject([{ missing: ['labels-arrived'], key: 'monday' }]);
    const [joined] = await client.tryTrigger('labels-arrived', { day: 'monday' });
    expect(joined).toMatchObject({ outcome: 'unmatched', reason: 'source is "ada", must begin with "/warehouse/"' });
    const labels = await send('labels-arrived', '/warehouse/us', { day: 'monday' });
    const { outcomes } = await explained(labels, 'joined');
    const runId = outcomes[0]?.runId ?? '';
    await explained(rows, 'joined');
    const text = (await millrace('triggers', 'explain', rows)).out;
    expect(text).toContain(`run ${runId}`);
    expect(text).toContain(`with ${labels}`);
    // and by the id that its publisher gave
    const own = await client.explainTrigger('rows-arrived-{"day":"monday","rows":30}');
    expect(own).toEqual(await client.explainTrigger(rows));
    await json('trigger', 'nobody-waits', '--id', 'e1');
    const unmatched = await eventually('it is handled', async () => {
      const { code, out } = await millrace('triggers', 'explain', 'e1');
      return code === 0 ? out : undefined;
    });
    expect(unmatched).toMatch(/^nobody-waits [^]*unmatched[^]*no deployed flow waits for it/);
    expect(JSON.stringify(await client.explain('e1'))).toContain('nobody-waits: unmatched');
    const run = await eventually('the run has completed', async () => {
      const shown = await client.runs.show(runId).catch(() => undefined);
      return shown?.status === 'completed' ? shown : undefined;
    });
    expect(run).toMatchObject({ flow: train, parameters: { day: 'monday', rows: 30 } });
    const report = await explained(runId, 'started');
    expect(report.outcomes).toMatchObject([{ flow: 'fraud.prod.report', trigger: 'finish:train' }]);
    const { out } = await millrace('explain', report.outcomes[0]?.runId ?? '');
    expect(out).toMatch(new RegExp(`run ${runId}[^]*trigger .*labels-arrived`));
  });

  it('is paused and resumed, with its history', async () => {
    expect(await json('flows', 'pause', train, '--reason', 'holidays')).toMatchObject({ action: 'pause' });
    expect(await client.production.show(train)).toMatchObject({ paused: true });
    const [dry] = await client.tryTrigger('rows-arrived', { day: 'tuesday', rows: 40 });
    expect(dry).toMatchObject({ outcome: 'paused' });
    const rows = await send('rows-arrived', '/warehouse/eu', { day: 'tuesday', rows: 40 });
    await explained(rows, 'paused');
    await expect(client.production.pause(train)).rejects.toThrow('is paused already');
    await client.production.resume(train);
    const history = await eventually('the history has it', async () => {
      const actions = await client.production.history(train);
      return actions[0]?.action === 'resume' ? actions : undefined;
    });
    expect(history.map(({ action }) => action)).toEqual(['resume', 'pause', 'deploy', 'deploy']);
    expect(history[1]).toMatchObject({ actor: 'ada', detail: { reason: 'holidays' } });
  });

  it('is backfilled over a range, and over what is missing of it', async () => {
    const range = ['--from', '2026-03-28', '--to', '2026-03-31T00:00:00+02:00'];
    const dry = await millrace('flows', 'backfill', train, ...range, '--dry-run');
    expect(dry.out).toContain('2026-03-29T00:00:00+01:00\n2026-03-30T00:00:00+02:00\n2 slots');
    expect(await json('flows', 'backfill', train, ...range)).toMatchObject({ started: 1, queued: 1, refused: 0 });
    await eventually('both slots have run', async () => {
      const runs = (await client.runs.list({ flow: train })).filter(({ status }) => status === 'completed');
      return runs.length >= 3;
    });
    const slots = await client.production.slots(train);
    expect(slots.slice(0, 2).map(({ outcome, backfill }) => [outcome, typeof backfill])).toEqual([
      ['started', 'string'],
      ['started', 'string'],
    ]);
    const missing = await client.production.backfill(train, {
      from: '2026-03-28',
      to: '2026-04-01T00:00:00+02:00',
      missing: true,
      dryRun: true,
    });
    expect(missing).toMatchObject({ skipped: 2, slots: [{ local: '2026-03-31T00:00:00+02:00' }] });
    expect((await millrace('flows', 'backfill', train, '--from', '2026-03-28', '--to', 'soon')).err).toContain(
      "'to' must be a time such as 2026-03-01",
    );
  });

  it('lets starts wait for its limit, and is terminated with all that waits', async () => {
    const range = { from: '2025-01-01', to: '2026-01-01' };
    await client.production.backfill(train, range);
    expect(await client.production.start(train)).toMatchObject({
      queued: true,
      reason: '1 of at most 1 runs are open',
    });
    const { waits = [], waiting } = await client.production.show(train);
    expect(waiting).toBeGreaterThan(waits.length);
    expect(waits.slice(0, 2)).toMatchObject([
      { what: expect.stringMatching(/^manual /), reason: '1 of at most 1 runs are open', since: expect.any(Number) },
      { what: expect.stringMatching(/^slot 20.* of /) },
    ]);
    expect((await millrace('flows', 'show', train)).out).toMatch(/waits {3}manual .*: 1 of at most 1 runs are open/);
    const { runs, withdrawn } = await client.production.terminate(train, 'enough');
    expect(runs).toBeLessThanOrEqual(1);
    expect(withdrawn).toBeGreaterThan(10);
    await eventually('nothing is open', async () => {
      const { running, waiting } = await client.production.show(train);
      return running === 0 && waiting === 0;
    });
    expect((await millrace('flows', 'show', train)).out).toContain('limit   1 open runs, then queue');
  });

  it('is removed, and nothing starts it', async () => {
    expect(await json('flows', 'remove', train)).toEqual({ flow: train, action: 'remove' });
    expect((await millrace('flows', 'start', train)).err).toContain(`there is no deployed flow '${train}'`);
    const nobody = await send('rows-arrived', '/warehouse/eu', { day: 'friday', rows: 40 });
    const explanation = await eventually('it is handled', () => client.explainTrigger(nobody).catch(() => undefined));
    expect(explanation).toMatchObject({ deliveries: [{ outcome: 'unmatched', considered: [] }], outcomes: [] });
  });
});

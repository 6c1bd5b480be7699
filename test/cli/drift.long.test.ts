/** A deployment with a detector on a whole platform: drift from the command line and by subscription. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { eventually } from '../../runtime/testing/test-runtime.ts';
import { type Client, connect, type Subscription } from '../../sdk/client/index.ts';
import { deployment } from '../../sdk/deployment/index.ts';
import { type Platform, startPlatform } from '../../services/all-in-one/platform.ts';
import { seededRandom } from '../../statistics/random.ts';
import { millrace } from './cli-driver.ts';

const random = seededRandom('drift cli');
let directory: string;
let platform: Platform;
let client: Client;
let subscription: Subscription;
const heard: string[] = [];
const foreign: string[] = [];
let other: Subscription;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-drift-'));
  const flags = { directory: join(directory, 'millrace'), 'http.port': '0' };
  platform = await startPlatform({ configuration: resolveConfiguration({ flags, environment: {} }) });
  await platform.ready();
  client = connect({ url: platform.url!, actor: 'ada' });
  const { runtime } = platform;
  const file = await readFile(new URL('../models/iris-logreg.onnx', import.meta.url));
  const { hash, sizeBytes } = await runtime.parts.blobs.put(file);
  const origin = { runId: null, taskId: null, flow: null, alias: null };
  const artifact = { name: 'iris', hash, sizeBytes, codec: 'onnx' };
  const about = { metrics: {}, tags: {}, description: '', actor: 'ada' };
  const data = { model: 'iris', requestId: 'iris', ...origin, artifact, ...about };
  await runtime.publish([{ topic: 'registry', type: 'version-requested', data, key: 'iris', id: 'iris' }]);
  await eventually('the version', async () => (await client.models.list())[0]?.versions === 1);
  await client.deploy(
    deployment('iris')
      .route('a', 'models:/iris/1')
      .monitors({
        detectors: [
          {
            name: 'flowers',
            method: 'kolmogorov-smirnov',
            window: { rows: 60 },
            reference: { kind: 'first', rows: 60 },
            alpha: 0.001,
          },
        ],
      }),
  );
  // What a deployment asks for stands on the topic too, and is no finding.
  const findings = (of: string, into: string[]): Subscription =>
    client.subscribe('drift', ({ type, data }) => void (type === 'drift-assessed' && into.push(data.deployment)), {
      deployment: of,
    });
  subscription = findings('iris', heard);
  other = findings('roses', foreign);
  await Promise.all([subscription.ready, other.ready]);
  for (const shift of [0, 0, 2]) {
    const rows = Array.from({ length: 60 }, () => [5.8, 3, 3.7, 1.2].map((mean) => mean + random.normal() / 2 + shift));
    await client.predict('iris', { rows }, { entity: 'flower' });
  }
}, 120_000);
afterAll(async () => {
  await subscription.close();
  await other.close();
  await platform.close();
  await rm(directory, { recursive: true, force: true });
});

interface Listed {
  readonly id: string;
  readonly positive: boolean;
  readonly summary: string;
}

it('lists findings, shows reference against window, and computes one again', async () => {
  const at = ['--url', platform.url!];
  const list = async (): Promise<readonly Listed[]> =>
    JSON.parse((await millrace(['drift', 'list', '--deployment', 'iris', '--json', ...at])).out) as readonly Listed[];
  const found = await eventually(
    'both windows',
    async () => {
      const all = (await list()).filter(({ summary }) => summary.includes('flowers'));
      return all.length >= 2 ? all : undefined;
    },
    60_000,
  );
  const drifted = found.find(({ positive }) => positive);
  expect(found.map(({ positive }) => positive).sort()).toEqual([false, true]);

  const picture = join(directory, 'drift.svg');
  const shown = await millrace(['drift', 'show', drifted!.id, '--svg', picture, ...at]);
  expect(shown).toMatchObject({ code: 0 });
  expect(shown.out).toContain('by flowers (kolmogorov-smirnov v2) in the inputs');
  expect(shown.out).toContain('window     60 rows');
  expect(shown.out).toMatch(/reference +[ ▁▂▃▄▅▆▇█]+/);
  expect(await readFile(picture, 'utf8')).toContain('<svg');

  const replayed = await millrace(['drift', 'replay', drifted!.id, ...at]);
  expect(replayed).toMatchObject({ code: 0 });
  expect(replayed.out).toContain('the same numbers by flowers (kolmogorov-smirnov) from 60 rows of the log');

  const unknown = await millrace(['drift', 'show', 'nothing', ...at]);
  expect(unknown.code).not.toBe(0);
  expect(unknown.err).toContain("there is no drift finding 'nothing'");
});

it('tells subscribers of one deployment', async () => {
  await eventually('the findings', () => heard.length >= 2, 60_000);
  expect(new Set(heard)).toEqual(new Set(['iris']));
  expect(foreign).toEqual([]);
});

/** The example that goes from data to a served model in one flow, as its reader runs it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { type Client, connect } from '../../sdk/client/index.ts';
import { type Platform, startPlatform } from '../../services/all-in-one/platform.ts';
import { millrace } from '../cli/cli-driver.ts';

let directory: string;
let platform: Platform;
let client: Client;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-wine-serving-'));
  const flags = { directory, 'http.port': '0' };
  platform = await startPlatform({ configuration: resolveConfiguration({ flags, environment: {} }) });
  await platform.ready();
  client = connect({ url: platform.url! });
}, 60_000);
afterAll(async () => {
  await platform.close();
  await rm(directory, { recursive: true, force: true });
});

it('trains a model, deploys it, and asks it at once, later and for a whole table', async () => {
  const said = await millrace(['run', 'examples/wine/serving.ts', '--url', platform.url!]);
  expect(said.out + said.err).toMatch(/completed/);
  const [run] = await client.runs.list({ flow: 'wine-serving' });
  const value = async (name: string) =>
    await (await client.artifacts.list({ runId: run!.runId, name })).at(-1)!.value();
  // scikit-learn's ElasticNet at its true optimum, on the same 1,225 rows.
  expect(await value('rmse')).toBeCloseTo(0.7792525659, 5);
  expect(await value('predicted')).toBe(1_225);
  const { predictionId } = (await value('realtime')) as { predictionId: string };
  const { id } = (await value('later')) as { id: string };
  expect(await client.prediction(predictionId)).toMatchObject({ status: 'completed' });
  expect(await client.prediction(id)).toMatchObject({ status: 'completed', result: { model_name: 'wine-quality' } });
  // The prediction is told from the model, the model from the run.
  const explained = await millrace(['explain', predictionId, '--url', platform.url!]);
  expect(explained.out).toContain(run!.runId);
  const tracked = await client.tracking.run(run!.runId);
  expect(tracked).toMatchObject({
    params: { family: 'elastic-net', alpha: '0.1' },
    datasets: [{ name: 'wine-test' }, { name: 'wine-train' }],
  });
  expect(tracked.metrics['rmse']).toBeCloseTo(0.7792525659, 5);
  const { out: card } = await millrace(['models', 'card', 'wine-quality@champion', '--url', platform.url!]);
  expect(card).toMatch(/## How it was made[\s\S]*\| alpha \| 0\.1 \|/);
  expect(card).toMatch(/## Live quality[\s\S]*\| wine-quality \| main \| 100 % \| [1-9]/);
  // Nobody told the registry how good it is: the run did.
  const { versions } = await client.models.show('wine-quality');
  expect(versions[0]?.metrics['rmse']).toBeCloseTo(0.7792525659, 5);
}, 120_000);

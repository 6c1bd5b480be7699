/** Feedback on the rows of a prediction, by the command line and over HTTP, through a whole platform to quality and explanation. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { eventually } from '../../runtime/testing/test-runtime.ts';
import type { FeedbackClosed, RewardRecorded } from '../../schemas/events.ts';
import { type Client, connect } from '../../sdk/client/index.ts';
import { deployment } from '../../sdk/index.ts';
import { type Platform, startPlatform } from '../../services/all-in-one/platform.ts';
import { millrace } from './cli-driver.ts';

let directory: string;
let platform: Platform;
let client: Client;
const rewards: RewardRecorded[] = [];
const closed: FeedbackClosed[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-feedback-'));
  platform = await startPlatform({
    configuration: resolveConfiguration({ flags: { directory, 'http.port': '0' }, environment: {} }),
    only: [
      ...(['deployments', 'registry', 'feedback-rewards', 'quality', 'provenance', 'model-server'] as const),
      ...(['feedback-admission', 'gateway'] as const),
    ],
  });
  await platform.ready();
  const { runtime } = platform;
  client = connect({ url: platform.url!, actor: 'ada' });
  const file = await readFile(new URL('../models/iris-logreg.onnx', import.meta.url));
  const { hash, sizeBytes } = await runtime.parts.blobs.put(file);
  const unknown = { runId: null, taskId: null, flow: null, metrics: {}, tags: {}, alias: null, description: '' };
  const artifact = { name: 'iris', hash, sizeBytes, codec: 'onnx' };
  const data = { model: 'iris', requestId: 'iris', artifact, ...unknown, actor: 'ada' };
  await runtime.publish([{ topic: 'registry', type: 'version-requested', data, key: 'iris', id: 'iris' }]);
  await eventually('the model', async () => (await client.models.list()).length === 1);
  await client.deploy(
    deployment('iris')
      .route('main', 'models:/iris/1')
      .output('label')
      .feedback({ reward: 'equal' })
      .monitors({ quality: { rows: 3 } }),
  );
  await runtime.follow('rewards', {
    from: 'earliest',
    onEvent: ({ type, data: said }) => {
      if (type === 'reward-recorded') rewards.push(said);
      if (type === 'feedback-closed') closed.push(said);
    },
  });
}, 60_000);
afterAll(async () => {
  await platform.close();
  await rm(directory, { recursive: true, force: true });
});

/** Of classes 0, 1 and 2. */
const flowers = [
  [5.1, 3.5, 1.4, 0.2],
  [5.8, 2.7, 4.1, 1.0],
  [6.7, 3.3, 5.7, 2.5],
];
const predict = async (): Promise<string> => {
  const { predictionId, outputs } = await client.predict('iris', { rows: flowers });
  expect(outputs.find(({ name }) => name === 'label')?.data).toEqual([0, 1, 2]);
  return predictionId;
};
const give = (id: string, ...words: readonly string[]) => millrace(['feedback', id, ...words, '--url', platform.url!]);
const rewardsOf = (id: string) => rewards.filter(({ predictionId }) => predictionId === id);
const closedOf = (id: string) => closed.filter(({ predictionId }) => predictionId === id);

describe('feedback on several rows', () => {
  it('is given as a list, then for a row, and counts once a row for quality and explanation', async () => {
    const id = await predict();
    expect((await give(id, '--truth', '[0, null, 1]')).code).toBe(0);
    await eventually('two rows', () => rewardsOf(id).length === 2);
    expect((await give(id, '--row', '1', '--truth', '1')).code).toBe(0);
    await eventually('three rows', () => rewardsOf(id).length === 3);
    expect(rewardsOf(id).map(({ row, answer, label, reward }) => [row, answer, label, reward])).toEqual([
      [0, '0', '0', 1],
      [2, '2', '1', 0],
      [1, '1', '1', 1],
    ]);
    expect(rewardsOf(id).every(({ probabilities }) => probabilities.length === 3)).toBe(true);
    const [window] = await eventually('a window', async () => {
      const windows = await client.quality({ deployment: 'iris', route: '' });
      return windows.length > 0 ? windows : undefined;
    });
    expect(window?.rows).toBe(3);
    const told = await eventually('it is told', async () => {
      const { out } = await millrace(['explain', id, '--url', platform.url!]);
      return out.includes('row 1: error 0') ? out : undefined;
    });
    for (const text of ['row 0: truth 0', 'row 2: truth 1', 'row 2: error 1, reward 0', 'row 1: truth 1'])
      expect(told).toContain(text);
    const feedbackId = rewardsOf(id)[0]?.feedbackId ?? '';
    const { out } = await millrace(['explain', feedbackId, '--url', platform.url!]);
    for (const text of ['row 0: reward', 'row 0: received', 'row 2: reward', `prediction ${id}`])
      expect(out).toContain(text);
  });

  it('is a duplicate for the rows that had the same, and counts for the others', async () => {
    const id = await predict();
    await client.feedback({ predictionId: id, row: 0, truth: 0 });
    await eventually('a row', () => rewardsOf(id).length === 1);
    await client.feedback({ predictionId: id, truth: [0, 2, null] });
    await eventually('another row', () => rewardsOf(id).length === 2 && closedOf(id).length === 1);
    expect(closedOf(id)).toMatchObject([{ row: 0, outcome: 'duplicate' }]);
    await client.feedback({ predictionId: id, row: 1, truth: 1 });
    await eventually('a contradiction', () => closedOf(id).length === 2);
    expect(closedOf(id)[1]).toMatchObject({ row: 1, outcome: 'contradictory' });
  });

  it('of rows that the prediction has not is closed with the reason, where it is asked for', async () => {
    const id = await predict();
    await give(id, '--row', '3', '--truth', '0');
    await give(id, '--truth', '[0, 1]');
    await give(id, '--label', '1');
    await eventually('all of them', () => closedOf(id).length === 4);
    const said = closedOf(id).map(({ outcome, row, reason }) => `${outcome} ${row}: ${reason}`);
    const has = 'the prediction has 3 rows, 0 to 2';
    expect(said.sort()).toEqual([
      `not-comparable 0: it has 2 values, one per row, but ${has}`,
      `not-comparable 1: it has 2 values, one per row, but ${has}`,
      `not-comparable 3: it names row 3, but ${has}`,
      'not-comparable null: the prediction has 3 rows: give one value per row, or name the row',
    ]);
    await eventually('it is told', async () =>
      (await millrace(['explain', id, '--url', platform.url!])).out.includes('row 3: feedback not-comparable'),
    );
  });

  it.each<[readonly string[], RegExp]>([
    [['--row', '-1', '--truth', '0'], /--row must be a whole number from 0, got '-1'/],
    [['--row', '1', '--truth', '[0, 1, 2]'], /row names one row, and a list has one value per row/],
    [['--truth', '[0, 1'], /--truth begins as a list: it must be JSON/],
    [['--truth', '[0, "1"]'], /truth\[1\] must be a number, got "1"/],
    [['--truth', '[0, 1]', '--reward', '1'], /must all be one value, or lists of the same length/],
    [['--truth', '[]'], /truth must have one value per row/],
  ])('%j is refused with what is wrong', async (words, says) => {
    const { code, err } = await give('0001'.padEnd(32, 'a'), ...words);
    expect(code).not.toBe(0);
    expect(err).toMatch(says);
  });
});

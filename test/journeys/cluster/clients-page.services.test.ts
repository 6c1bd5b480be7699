import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import { Cluster, clusterAddresses } from './cluster.ts';
import { clientsMissing, readByPython, runScript } from './outside-clients.ts';

let cluster: Cluster;
let directory: string;
beforeAll(async () => {
  if (clientsMissing) return;
  directory = await mkdtemp(join(tmpdir(), 'millrace-page-'));
  await installMillrace(directory);
  cluster = await Cluster.start();
  await cluster.makeReplyTopic();
});
afterAll(async () => {
  await cluster?.close();
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
});

describe.skipIf(clientsMissing)('the page for clients', () => {
  it('holds commands that work, in the order in which they stand there', { timeout: 400_000 }, async () => {
    const page = await readFile(new URL('../../../docs/clients.md', import.meta.url), 'utf8');
    const printed = await runScript(scriptOf(page), {
      DIRECTORY: directory,
      KAFKA: clusterAddresses.kafka,
      REGISTRY: clusterAddresses.registry,
      GATEWAY: cluster.url,
      PREFIX: cluster.prefix,
      NODE_OPTIONS: `--import=${createRequire(import.meta.url).resolve('tsx')}`,
    });
    const facts = async (topic: string, event: string) => {
      const all = await readByPython([cluster.topic(topic)]);
      return all.filter(({ type }) => type === `millrace.${topic}.${event}.v1`).map(({ data }) => data);
    };

    // Six triggers, eight flowers, two feedbacks (one of them told twice).
    const handled = await eventually(
      'six verdicts',
      async () => {
        const verdicts = await facts('operations', 'trigger-handled');
        return verdicts.length >= 6 ? verdicts : undefined;
      },
      60_000,
    );
    expect(handled.map(({ name, outcome }) => ({ name, outcome }))).toEqual(
      Array.from({ length: 6 }, () => ({ name: 'flowers-arrived', outcome: 'unmatched' })),
    );
    const answers = await facts('predictions', 'prediction-completed');
    expect(answers.map(({ entity }) => entity).sort()).toEqual(Array.from({ length: 8 }, (_, i) => `flower-${i + 1}`));
    expect(await facts('predictions', 'prediction-failed')).toEqual([]);
    expect(await facts('operations', 'feedback-refused')).toEqual([]);
    const rewarded = await eventually('both rewards', async () => {
      const rewards = await facts('rewards', 'reward-recorded');
      return rewards.length >= 2 ? rewards : undefined;
    });
    expect(rewarded.map(({ reward }) => reward)).toEqual([1, 1]);

    // And the readers of the page saw what there was.
    for (const seen of [
      'millrace.predictions.prediction-completed.v1 flower-5',
      'flower-4 0@0 ce_specversion=1.0',
      'event: prediction-completed',
      'kafka_correlationId=order-17',
      'millrace.rewards.reward-recorded.v1 iris',
      'millrace.audit.audit-linked.v1',
      'millrace.operations.trigger-handled.v1',
      '"intact":true',
      'prediction-completed flower-8',
    ]) {
      expect(printed.includes(seen), `the programs of the page print '${seen}'`).toBe(true);
    }
  });
});

/** Blocks of commands as they stand; blocks of programs as files, named by their first line. */
function scriptOf(page: string): string {
  const blocks = [...page.matchAll(/^```(sh|python|js)\n(.*?)^```$/gms)];
  expect(blocks.length).toBeGreaterThan(10);
  const parts = blocks.map(([, language = '', text = '']) => {
    if (language === 'sh') return text;
    const name = /^(?:#|\/\/) (\S+)\n/.exec(text)?.[1];
    if (name === undefined) throw new Error(`a program of the page has no name:\n${text}`);
    return `cat >${name} <<'END_OF_PROGRAM'\n${text}END_OF_PROGRAM\n`;
  });
  // A reader that ends early is no failure of its writer.
  return ['set +o pipefail', 'cd "$DIRECTORY"', ...parts].join('\n');
}

/** The package as `npm install` would give it, from its sources. */
async function installMillrace(directory: string): Promise<void> {
  const folder = join(directory, 'node_modules', 'millrace');
  const source = new URL('../../../sdk/index.ts', import.meta.url).href;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'millrace', type: 'module', main: 'index.js' }));
  await writeFile(join(folder, 'index.js'), `export * from '${source}';\n`);
}

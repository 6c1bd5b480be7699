import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleFlow } from '../../../runtime/adapters/bundler/bundle-flow.ts';
import { eventually } from '../../../runtime/testing/test-runtime.ts';
import { Cluster } from './cluster.ts';
import { clientsMissing, publishByKcat, readByPython, type ReadFact } from './outside-clients.ts';

let cluster: Cluster;
beforeAll(async () => {
  if (!clientsMissing) cluster = await Cluster.start();
});
afterAll(async () => cluster?.close());

describe.skipIf(clientsMissing)('a flow on Kafka, Redis, S3 and a schema registry', () => {
  it('runs once for a trigger that kcat sends twice, and a Python reader sees what became of it', async () => {
    const file = fileURLToPath(new URL('../../../examples/hello/flow.ts', import.meta.url));
    const { version } = await cluster.client.flows.deploy(await bundleFlow(file));
    expect(version).toBe(1);
    const event = { ce_specversion: '1.0', ce_id: 'visit-1', ce_source: '/door', ce_type: 'hello-wanted' };
    const trigger = [{ key: 'door', value: { person: 'Ada' } }];
    await publishByKcat(cluster.topic('triggers'), trigger, event);
    await publishByKcat(cluster.topic('triggers'), trigger, event);
    await eventuallyFacts('operations', 'trigger-handled', 2);
    const [completed] = await eventuallyFacts('runs', 'run-completed', 1);
    const runs = await facts('runs');
    expect(runs.filter(({ type }) => type === 'millrace.runs.run-requested.v1').length).toBe(1);
    expect(runs.filter(({ type }) => type === 'millrace.runs.task-completed.v1').length).toBe(5);
    expect(runs.filter(({ type }) => type === 'millrace.runs.task-failed.v1')).toEqual([]);
    const shown = await eventually('the run in the list', async () =>
      (await cluster.client.runs.list({ flow: 'hello' })).find(({ status }) => status === 'completed'),
    );
    expect(shown.runId).toBe(completed?.key);
    const said = await eventually('what was said', async () =>
      (await facts('artifacts'))
        .map(({ data }) => data['artifact'] as { readonly name: string; readonly inline: unknown })
        .find(({ name }) => name === 'said'),
    );
    // a small artifact travels in the record; how its bytes look there is the reader's
    expect(JSON.stringify(said.inline)).toContain('HELLO ADA');
  });
});

async function facts(topic: string): Promise<readonly ReadFact[]> {
  return await readByPython([cluster.topic(topic)]);
}

async function eventuallyFacts(topic: string, event: string, least: number): Promise<readonly ReadFact[]> {
  return await eventually(
    `${least} ${event}`,
    async () => {
      const found = (await facts(topic)).filter(({ type }) => type === `millrace.${topic}.${event}.v1`);
      return found.length >= least ? found : undefined;
    },
    60_000,
  );
}

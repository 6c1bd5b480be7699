import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FlowCode } from '../../../runtime/ports/flow-code.ts';
import { flow } from '../../../sdk/flow/index.ts';
import { createGateway } from '../../../services/gateway/gateway.ts';
import { flowStarts } from '../../../topologies/flow-starts.ts';
import { type Fixture, local, openGateway } from './gateway-fixture.ts';

const { graph } = flow('greeting')
  .parameter('count', { type: 'integer', required: true })
  .step('greet', () => ({})) as unknown as FlowCode;

let fixture: Fixture;
let bundleHash: string;
beforeAll(async () => {
  fixture = await openGateway();
  await fixture.test.runtime.runTopology(flowStarts);
  ({ hash: bundleHash } = await fixture.test.runtime.parts.blobs.put(Buffer.from('export default 1')));
});
afterAll(() => fixture.close());

const post = (url: string, payload: object, headers: object = {}) =>
  fixture.gateway.app.inject({ method: 'POST', url, headers: { ...local, ...headers }, payload });

describe('flows over HTTP', () => {
  it('deploys one, shows it, and starts a run of it', async () => {
    const deployed = await post(
      '/api/v1/flows',
      { flow: 'greeting', bundleHash, graph },
      { 'x-millrace-actor': 'ada' },
    );
    expect(deployed.json()).toMatchObject({ flow: 'greeting', version: 1, bundleHash });
    const shown = await fixture.gateway.app.inject({ url: '/api/v1/flows/greeting', headers: local });
    expect(shown.json()).toMatchObject({ version: 1, actor: 'ada', graph: { name: 'greeting' }, triggers: [] });
    const body = { flow: 'greeting', parameters: { count: 3 } };
    const headers = { 'idempotency-key': 'run-once' };
    const started = await post('/api/v1/runs', body, headers);
    expect(started.statusCode, started.body).toBe(201);
    expect(started.json()).toMatchObject({
      flow: 'greeting',
      version: 1,
      runId: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    expect((await post('/api/v1/runs', body, headers)).json()).toEqual(started.json());
    const runs = (await fixture.events('runs')).filter(({ type }) => type === 'run-requested');
    expect(runs).toMatchObject([{ data: { runId: started.json().runId, cause: { kind: 'manual', id: 'run-once' } } }]);
  });

  it('answers a start that is repeated at a gateway that heard nothing of it', async () => {
    const headers = { 'idempotency-key': 'run-once' };
    const found: string[] = [];
    const queries = {
      runOfRequest: (flow: string, requestId: string) => {
        found.push(`${flow} ${requestId}`);
        return Promise.resolve({ runId: 'b'.repeat(32), version: 1 });
      },
    } as never;
    const { runtime } = fixture.test;
    const other = await createGateway({ runtime, queries, metrics: new Registry(), version: '0' });
    const payload = { flow: 'greeting', parameters: { count: 3 } };
    const call = { method: 'POST', url: '/api/v1/runs', headers: { ...local, ...headers }, payload } as const;
    const answer = await other.app.inject(call);
    await other.close();
    expect(answer.json()).toEqual({ runId: 'b'.repeat(32), flow: 'greeting', version: 1 });
    expect(found).toEqual(['greeting run-once']);
  });

  it('runs a bundle that is not deployed as version 0', async () => {
    const started = await post('/api/v1/runs', { flow: 'greeting', bundleHash, graph, parameters: { count: 1 } });
    expect(started.json()).toMatchObject({ flow: 'greeting', version: 0 });
  });

  it('passes on why a start is refused', async () => {
    const refused = await post('/api/v1/runs', { flow: 'greeting', parameters: { count: 'many' } });
    expect(refused.statusCode).toBe(400);
    expect(refused.json().message).toContain('count');
    const other = await post('/api/v1/flows', { flow: 'other', bundleHash, graph });
    expect(other.json().message).toContain("the graph is of flow 'greeting', not of 'other'");
  });
});

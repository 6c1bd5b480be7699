import { beforeEach, describe, expect, it } from 'vitest';
import type { FlowCode } from '../../../runtime/ports/flow-code.ts';
import { createTopologyDriver, type TopologyDriver } from '../../../runtime/testing/index.ts';
import { flow } from '../../../sdk/index.ts';
import { flowStarts } from '../../../topologies/flow-starts.ts';

const chain = flow('greeting')
  .parameter('name', { type: 'string', default: 'world' })
  .parameter('count', { type: 'integer', required: true })
  .step('greet', () => ({})) as unknown as FlowCode;
const graph = JSON.stringify(chain.graph);
const bundleHash = 'b'.repeat(64);
const actor = 'ada';

let driver: TopologyDriver<'starts'>;
beforeEach(async () => {
  driver = await createTopologyDriver(flowStarts);
});

function deploy(requestId: string, more: object = {}): unknown[] {
  const base = { flow: 'greeting', requestId, bundleHash, graph, triggers: '[]', policy: '{}' };
  const data = { ...base, authorize: '', newToken: false, actor, ...more };
  driver.pipe({ type: 'flow-deploy-requested', key: data.flow, data });
  return driver.takeOutputs();
}

function start(requestId: string, more: object = {}): { type: string; data: Record<string, unknown> }[] {
  const cause = { kind: 'manual', id: requestId, position: null };
  const data = {
    flow: 'greeting',
    requestId,
    bundleHash: null,
    graph: null,
    tags: [],
    parameters: '{"count":"3"}',
    cause,
    actor,
    ...more,
  };
  driver.pipe({ type: 'start-requested', key: data.flow, data });
  return driver.takeOutputs() as never;
}

describe('flow versions', () => {
  it('numbers versions densely and writes the row', () => {
    expect(deploy('d1')).toMatchObject([
      { topic: 'flows', type: 'flow-row', key: 'greeting', data: { version: 1, bundleHash, actor } },
      { type: 'flow-deployed', data: { version: 1, requestId: 'd1' } },
    ]);
    expect(deploy('d2')).toMatchObject([{ data: { version: 2 } }, { data: { version: 2 } }]);
    expect(deploy('d1')).toEqual([]);
  });

  it('refuses a graph, a trigger and a hash that do not fit, and says why', () => {
    expect(deploy('d1', { graph: '{' })).toMatchObject([{ type: 'start-refused', data: { requestId: 'd1' } }]);
    expect(deploy('d2', { triggers: '[{"event":"e","parameters":{"nope":"x"}}]' })).toMatchObject([
      { type: 'start-refused', data: { reason: "trigger 'e' sets parameter 'nope', which the flow does not have" } },
    ]);
    expect(deploy('d3', { bundleHash: '../x' })).toMatchObject([{ type: 'start-refused' }]);
    expect(deploy('d4', { flow: 'other' })).toMatchObject([
      { data: { reason: "the graph is of flow 'greeting', not of 'other'" } },
    ]);
  });
});

describe('starts', () => {
  beforeEach(() => {
    deploy('deployed');
  });

  it('makes one run with resolved parameters, under an id that follows from the request', async () => {
    const [first] = start('s1');
    expect(first).toMatchObject({ type: 'run-requested', data: { version: 1, cause: { kind: 'manual', id: 's1' } } });
    expect(JSON.parse(String(first?.data['parameters']))).toEqual({ name: 'world', count: 3 });
    expect(first?.data['runId']).toMatch(/^[0-9a-f]{32}$/);
    expect(start('s1')).toEqual([]);
    expect(start('s2')[0]?.data['runId']).not.toBe(first?.data['runId']);
    driver = await createTopologyDriver(flowStarts);
    deploy('deployed');
    expect(start('s1')[0]?.data['runId']).toBe(first?.data['runId']);
  });

  it('refuses parameters that do not fit, with all reasons', () => {
    expect(start('s1', { parameters: '{"cuont":3,"name":5}' })).toMatchObject([
      {
        type: 'start-refused',
        data: {
          reason:
            "there is no parameter 'cuont'; the flow has name, count; parameter 'name' must be a text, got 5; parameter 'count' (integer) is required",
        },
      },
    ]);
    expect(driver.counters()).toMatchObject({ 'starts-refused': 1 });
  });

  it('runs a bundle beside the deployed version as version 0, and refuses a flow that is not deployed', () => {
    expect(start('s1', { bundleHash, graph })).toMatchObject([
      { type: 'run-requested', data: { version: 0, systemTags: ['user:ada'] } },
    ]);
    expect(start('s2', { bundleHash: '../x', graph })).toMatchObject([{ type: 'start-refused' }]);
    expect(start('s3', { flow: 'other' })).toMatchObject([
      { type: 'start-refused', data: { reason: "there is no deployed flow 'other': deploy it first" } },
    ]);
  });
});

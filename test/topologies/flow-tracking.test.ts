import { beforeAll, describe, expect, it } from 'vitest';
import { createTopologyDriver } from '../../runtime/testing/index.ts';
import { experimentOfFlow, flowOfExperiment } from '../../schemas/flow-experiment.ts';
import { flowTracking } from '../../topologies/flow-tracking.ts';

const requested = {
  runId: 'r1',
  flow: 'wine',
  version: 3,
  bundleHash: 'b',
  graph: '{}',
  parameters: '{"rate":0.1,"kind":"red","list":[1,2]}',
  tags: ['env:test', 'nightly'],
  systemTags: ['user:ada'],
  cause: { kind: 'manual', id: 'c', position: null },
  actor: 'ada',
} as const;

let driver: Awaited<ReturnType<typeof createTopologyDriver<'runs'>>>;
beforeAll(async () => {
  driver = await createTopologyDriver(flowTracking);
});

const said = (type: 'run-requested' | 'run-failed' | 'run-cancelled' | 'run-tags-changed', data: object) => {
  driver.pipe({ type, key: 'r1', data: data as never });
  return driver.takeOutputs().map((event) => [event.type, event.data]);
};

describe('a run of a flow as a tracked run', () => {
  it('begins with its parameters as texts and its tags as pairs', () => {
    const { id } = experimentOfFlow('wine');
    expect(said('run-requested', requested)).toMatchObject([
      [
        'run-begun',
        {
          runId: 'r1',
          experimentId: id,
          flow: 'wine',
          status: 'RUNNING',
          artifactUri: `mlflow-artifacts:/${id}/r1/artifacts`,
          tags: { env: 'test', nightly: '', user: 'ada', 'millrace.flow': 'wine', 'mlflow.user': 'ada' },
        },
      ],
      ['values-logged', { params: { rate: '0.1', kind: 'red', list: '[1,2]' } }],
    ]);
  });

  it('ends as the run ends, and runs again when it is resumed in its place', () => {
    const end = { runId: 'r1', flow: 'wine', startedAt: 1 };
    expect(said('run-failed', { ...end, taskId: 't', step: 's', kind: 'user', message: 'm' })).toMatchObject([
      ['run-changed', { status: 'FAILED', endTime: expect.any(Number) as number }],
    ]);
    expect(said('run-requested', { ...requested, resume: { runId: 'r1', from: null } })).toMatchObject([
      ['run-changed', { status: 'RUNNING', endTime: null }],
    ]);
    expect(said('run-cancelled', { ...end, actor: 'bob', reason: '' })).toMatchObject([
      ['run-changed', { status: 'KILLED', actor: 'bob' }],
    ]);
  });

  it('changes its tags as the run does', () => {
    const data = {
      runId: 'r1',
      requestId: 'q',
      actor: 'ada',
      tags: [],
      added: ['a:b'],
      removed: ['nightly'],
      requestedAt: 1,
    };
    expect(said('run-tags-changed', data)).toMatchObject([
      ['values-logged', { tags: { a: 'b' }, removedTags: ['nightly'] }],
    ]);
  });

  it('has an experiment whose id and name follow from the flow', () => {
    expect(experimentOfFlow('wine').id).toMatch(/^8\d{15}$/);
    expect(flowOfExperiment(experimentOfFlow('wine').name)).toBe('wine');
    expect([flowOfExperiment('flows/'), flowOfExperiment('wine')]).toEqual([undefined, undefined]);
  });
});

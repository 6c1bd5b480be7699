import { beforeEach, describe, expect, it } from 'vitest';
import { createTopologyDriver } from '../../../runtime/testing/index.ts';
import { cycleThrough, waitingFor } from '../../../schemas/finish-cycles.ts';
import { flow } from '../../../sdk/index.ts';
import { runEnds } from '../../../topologies/run-ends.ts';
import { Flows, only, outcomes, runIds } from './fixture.ts';

let flows: Flows;
beforeEach(async () => {
  flows = await Flows.open();
});

const step = () => ({});

describe('the end of a run', () => {
  it('starts the flows of the same project branch that wait for it, with what they map', () => {
    const options = { project: 'fraud' };
    const report = flow('report', options)
      .parameter('of', { type: 'string' })
      .onFinish('train', { parameters: { of: 'runId' } })
      .step('a', step);
    flows.deploy(flow('train', options).step('a', step), { flow: 'fraud.prod.train' });
    flows.deploy(report, { flow: 'fraud.prod.report' });
    flows.deploy(report, { flow: 'fraud.test.x.report' });
    const [runId] = runIds(flows.start('fraud.prod.train'));
    const said = flows.end('fraud.prod.train', runId);
    expect(only(said, 'run-requested')).toMatchObject([
      { flow: 'fraud.prod.report', parameters: JSON.stringify({ of: runId }), cause: { kind: 'finish', id: runId } },
    ]);
    expect(only(said, 'event-judged')).toMatchObject([{ eventId: runId, outcome: 'started', trigger: 'finish:train' }]);
    expect(flows.end('fraud.prod.train', runId)).toEqual([]);
  });

  it('counts by its outcome, and one that does not count is named', () => {
    flows.deploy(flow('train').step('a', step));
    flows.deploy(flow('good').onFinish('train').step('a', step));
    flows.deploy(flow('bad').onFinish('train', { on: 'failure' }).step('a', step));
    flows.deploy(flow('any').onFinish('train', { on: 'any' }).step('a', step));
    const started = (outcome: string) =>
      only(flows.end('train', runIds(flows.start('train'))[0], outcome), 'run-requested')
        .map((run) => run['flow'])
        .sort();
    expect(started('completed')).toEqual(['any', 'good']);
    expect(started('failed')).toEqual(['any', 'bad']);
    expect(started('cancelled')).toEqual(['any']);
    expect(only(flows.said, 'event-judged').filter((one) => one['outcome'] === 'unmatched')).toContainEqual(
      expect.objectContaining({ flow: 'bad', reason: 'the run ended in success, the trigger waits for failure' }),
    );
  });

  it('of all of several flows starts one run', () => {
    for (const name of ['a', 'b']) flows.deploy(flow(name).step('s', step));
    flows.deploy(
      flow('both')
        .on({ all: [{ finish: 'a' }, { finish: 'b' }], within: '1d' })
        .step('s', step),
    );
    const [a] = runIds(flows.start('a'));
    const [b] = runIds(flows.start('b'));
    expect(outcomes(flows.end('a', a))).toEqual({ [String(a)]: 'waiting' });
    expect(outcomes(flows.end('b', b))).toEqual({ [String(a)]: 'joined', [String(b)]: 'joined' });
  });

  it('is not heard from a bundle beside the deployed version, nor by a flow that waits no longer or was removed', () => {
    const train = flow('train').step('a', step);
    flows.deploy(train);
    flows.deploy(flow('report').onFinish('train').step('a', step));
    const graph = JSON.stringify((train as unknown as { graph: object }).graph);
    const [beside] = runIds(flows.start('train', { bundleHash: 'c'.repeat(64), graph }));
    expect(flows.end('train', beside)).toEqual([]);
    const [first, second] = [...runIds(flows.start('train')), ...runIds(flows.start('train'))];
    flows.deploy(flow('report').step('a', step));
    expect(flows.end('train', first)).toEqual([]);
    flows.deploy(flow('report').onFinish('train').step('a', step));
    flows.control('report', 'remove');
    expect(flows.end('train', second)).toEqual([]);
  });
});

describe('loops', () => {
  it('of a flow with itself are refused when it is deployed', () => {
    expect(only(flows.deploy(flow('train').onFinish('train').step('a', step)), 'start-refused')).toMatchObject([
      { reason: 'a loop: train → train: a flow cannot wait for its own end' },
    ]);
  });

  it('that came about in spite of that stop at the first flow that comes again', () => {
    flows.deploy(flow('a').onFinish('c').step('s', step));
    flows.deploy(flow('b').onFinish('a').step('s', step));
    flows.deploy(flow('c').onFinish('b').step('s', step));
    let [run] = runIds(flows.start('a'));
    for (const name of ['a', 'b']) [run] = runIds(flows.end(name, run));
    const said = flows.end('c', run);
    expect(runIds(said)).toEqual([]);
    expect(only(said, 'event-judged')).toMatchObject([
      { flow: 'a', outcome: 'refused', reason: 'a loop: a → b → c → a' },
    ]);
  });

  it('are found with their way, over plain names of one branch and whole names of another', () => {
    const row = (name: string, ...finish: string[]) => ({
      flow: name,
      triggers: finish.map((one) => ({ finish: one })),
    });
    const waits = waitingFor([
      row('p.prod.a', 'c', 'x'),
      row('p.prod.b', 'a'),
      row('p.prod.c', 'q.prod.z'),
      row('q.prod.z', 'p.prod.b'),
    ]);
    expect(cycleThrough('p.prod.a', waits)).toEqual(['p.prod.a', 'p.prod.b', 'q.prod.z', 'p.prod.c', 'p.prod.a']);
    expect(cycleThrough('p.prod.x', waits)).toBeUndefined();
  });
});

describe('the forward of ends', () => {
  it('says each end under the key of its flow, and nothing else', async () => {
    const driver = await createTopologyDriver(runEnds);
    const base = { runId: 'r1', flow: 'train', startedAt: 1 };
    driver.pipe({ type: 'run-completed', key: 'r1', data: { ...base, tasks: 1, artifacts: [] } });
    driver.pipe({
      type: 'run-failed',
      key: 'r1',
      data: { ...base, taskId: 't', step: 's', kind: 'error', message: 'no' },
    });
    driver.pipe({ type: 'run-cancelled', key: 'r1', data: { ...base, actor: 'ada', reason: 'enough' } });
    driver.pipe({
      type: 'run-cancel-requested',
      key: 'r1',
      data: { runId: 'r1', requestId: 'q', actor: 'a', reason: '' },
    });
    expect(driver.takeOutputs()).toMatchObject([
      { topic: 'starts', key: 'train', data: { runId: 'r1', outcome: 'completed' } },
      { topic: 'starts', key: 'train', data: { outcome: 'failed', message: 's: no' } },
      { topic: 'starts', key: 'train', data: { outcome: 'cancelled', message: 'enough' } },
    ]);
  });
});

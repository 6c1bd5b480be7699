import { beforeEach, describe, expect, it } from 'vitest';
import { flow } from '../../../sdk/index.ts';
import { Flows, only, outcomes, runIds } from './fixture.ts';

let flows: Flows;
beforeEach(async () => {
  flows = await Flows.open();
});

const step = () => ({});
const limited = (max: number, overflow: 'queue' | 'skip' | 'refuse' = 'queue') =>
  flow('train', { concurrency: { max, overflow } }).on('arrived').step('a', step);

describe('a limit on open runs', () => {
  it('lets starts wait in their order, and starts one for each run that ends, however it ends', () => {
    flows.deploy(limited(1));
    const [first] = runIds(flows.event('train', 'arrived', 'e1'));
    expect(outcomes(flows.event('train', 'arrived', 'e2'))).toEqual({ e2: 'queued' });
    expect(only(flows.start('train', { requestId: 'm1' }), 'start-queued')).toMatchObject([
      { requestId: 'm1', waiting: 2, reason: '1 of at most 1 runs are open' },
    ]);
    const second = flows.end('train', first, 'failed');
    expect(only(second, 'run-requested')).toMatchObject([{ cause: { id: 'e2' } }]);
    expect(outcomes(second)).toEqual({ e2: 'started' });
    expect(flows.end('train', first)).toEqual([]);
    expect(only(flows.end('train', runIds(second)[0], 'cancelled'), 'run-requested')).toMatchObject([
      { cause: { id: 'm1' } },
    ]);
  });

  it('skips or refuses instead where the flow says so', () => {
    flows.deploy(limited(1, 'skip'));
    flows.event('train', 'arrived', 'e1');
    expect(outcomes(flows.event('train', 'arrived', 'e2'))).toEqual({ e2: 'skipped' });
    expect(flows.start('train')).toMatchObject([{ type: 'start-skipped' }]);
    flows.deploy(limited(1, 'refuse'));
    expect(outcomes(flows.event('train', 'arrived', 'e3'))).toEqual({ e3: 'refused' });
    expect(flows.start('train')).toMatchObject([
      { type: 'start-refused', data: { reason: '1 of at most 1 runs are open' } },
    ]);
  });

  it('counts runs of the deployed flow only, and starts more at once when a new version allows more', () => {
    flows.deploy(limited(1));
    const graph = JSON.stringify((limited(1) as unknown as { graph: object }).graph);
    expect(runIds(flows.start('train', { bundleHash: 'c'.repeat(64), graph }))).toHaveLength(1);
    for (let n = 0; n < 60; n++) flows.event('train', 'arrived', `e${n}`);
    expect(runIds(flows.deploy(limited(51)))).toHaveLength(50);
  });

  it('refuses a start beyond a thousand that wait', () => {
    flows.deploy(limited(1));
    for (let n = 0; n < 1_001; n++) flows.event('train', 'arrived', `e${n}`);
    expect(outcomes(flows.event('train', 'arrived', 'late'))).toEqual({ late: 'refused' });
  });
});

describe('a paused flow', () => {
  it('is started by people only, names what it did not take, and goes on when it is resumed', () => {
    flows.deploy(limited(1));
    const [first] = runIds(flows.event('train', 'arrived', 'e1'));
    flows.event('train', 'arrived', 'waits');
    expect(flows.control('train', 'pause')).toMatchObject([
      { type: 'flow-row', data: { paused: true } },
      { type: 'flow-controlled', data: { action: 'pause', actor: 'ada' } },
    ]);
    expect(outcomes(flows.event('train', 'arrived', 'e2'))).toEqual({ e2: 'paused' });
    expect(only(flows.control('train', 'pause'), 'start-refused')).toMatchObject([
      { reason: "flow 'train' is paused already" },
    ]);
    expect(runIds(flows.end('train', first))).toEqual([]);
    const [manual] = runIds(flows.start('train'));
    expect(manual).toBeDefined();
    flows.end('train', manual);
    expect(only(flows.control('train', 'resume'), 'run-requested')).toMatchObject([{ cause: { id: 'waits' } }]);
  });
});

describe('terminating a flow', () => {
  it('asks every open run to stop, however many, and withdraws what waits', () => {
    flows.deploy(limited(450));
    for (let n = 0; n < 460; n++) flows.event('train', 'arrived', `e${n}`);
    const said = flows.control('train', 'terminate');
    const cancelled = only(said, 'run-cancel-requested').map(({ runId }) => runId);
    expect(new Set(cancelled).size).toBe(450);
    expect(only(said, 'flow-controlled')).toMatchObject([{ withdrawn: 10 }]);
    expect(outcomes(said)).toMatchObject({ e459: 'skipped' });
    for (const runId of cancelled) flows.end('train', runId, 'cancelled');
    expect(flows.driver.stateKeys('ending/')).toEqual([]);
    expect(only(flows.event('train', 'arrived', 'after'), 'run-requested')).toHaveLength(1);
  });
});

describe('a removed flow', () => {
  it('leaves its table, starts nothing, and goes on with its number when it is deployed again', () => {
    flows.deploy(limited(1));
    expect(flows.control('train', 'remove')).toMatchObject([
      { type: 'tombstone', key: 'train' },
      { type: 'flow-controlled' },
    ]);
    expect(flows.start('train')).toMatchObject([{ type: 'start-refused' }]);
    expect(only(flows.deploy(limited(1)), 'flow-deployed')).toMatchObject([{ version: 2 }]);
  });
});

describe('authors and tokens', () => {
  const deploy = (actor: string, more: object = {}) => flows.deploy(limited(1), { actor, ...more });

  it('lets others deploy with the production token only, once', () => {
    const [first] = only(deploy('ada'), 'flow-deployed');
    expect(first?.['token']).toMatch(/^train-0-[a-z]{4}$/);
    expect(only(deploy('grace'), 'start-refused')).toMatchObject([
      {
        reason: expect.stringMatching(/^flow 'train' was deployed by ada: give its production token with --authorize/),
      },
    ]);
    expect(only(deploy('grace', { authorize: 'wrong' }), 'start-refused')).toMatchObject([
      { reason: expect.stringMatching(/^'wrong' is not the production token/) },
    ]);
    expect(only(deploy('grace', { authorize: first?.['token'] }), 'flow-deployed')).toMatchObject([{ version: 2 }]);
    expect(only(deploy('grace'), 'flow-deployed')).toMatchObject([{ version: 3, token: first?.['token'] }]);
  });

  it('begins a new namespace with a new token, and runs carry theirs', () => {
    const [first] = only(deploy('ada'), 'flow-deployed');
    expect(only(flows.start('train'), 'run-requested')).toMatchObject([
      { systemTags: [`production:${String(first?.['token'])}`] },
    ]);
    const [second] = only(deploy('ada', { newToken: true }), 'flow-deployed');
    expect(second?.['token']).toMatch(/^train-1-/);
    expect(only(deploy('grace', { authorize: first?.['token'] }), 'start-refused')).toHaveLength(1);
  });
});

describe('flows of a project', () => {
  it('are deployed by branch, and their runs say where they belong', () => {
    const chain = flow('train', { project: 'fraud', tags: ['nightly'] }).step('a', step);
    expect(only(flows.deploy(chain), 'start-refused')).toMatchObject([
      { reason: "a flow of project 'fraud' must be deployed as <project>.<branch>.<flow>, got 'train'" },
    ]);
    const name = 'fraud.user.ada.train';
    const [deployed] = only(flows.deploy(chain, { flow: name }), 'flow-deployed');
    expect(only(flows.start(name, { tags: ['mine'] }), 'run-requested')).toMatchObject([
      {
        flow: name,
        tags: ['nightly', 'mine'],
        systemTags: [`production:${String(deployed?.['token'])}`, 'project:fraud', 'project_branch:user.ada'],
      },
    ]);
    expect(only(flows.deploy(chain, { flow: 'fraud.main.train' }), 'start-refused')).toMatchObject([
      { reason: expect.stringContaining("branch 'main' must be user.<name>, test.<branch>, prod or prod.<branch>") },
    ]);
  });
});

import { describe, expect, it } from 'vitest';
import type { Artifact } from '../../schemas/events.ts';
import { flow } from '../../sdk/index.ts';
import { artifact, idBeside, linear, RunDriver, runId } from './run-progress-fixture.ts';

const leaseMs = 30_000;

function save(
  run: RunDriver,
  taskId: string,
  checkpoint: Artifact,
  incarnation = 'i1',
  token = run.token(taskId, incarnation),
) {
  return run.pipe('checkpoint-saved', {
    runId: run.runId,
    taskId,
    token,
    worker: `worker of ${incarnation}`,
    checkpoint,
  });
}
const names = (run: RunDriver, taskId: string): string[] =>
  (run.dispatched(taskId).checkpoints ?? []).map(({ name, hash }) => `${name} ${hash.slice(0, 4)}`);
const shown = (...all: Artifact[]): string[] => all.map(({ name, hash }) => `${name} ${hash.slice(0, 4)}`);

describe('checkpoints of a task', () => {
  it('go to its next attempt, the newest of each name, also over a wait, and leave nothing when it ends well', async () => {
    const run = await RunDriver.open(linear({ retry: { times: 2, backoffMs: 1_000 } }));
    run.start('one');
    save(run, 'one', artifact('weights', 'a'));
    const [written] = save(run, 'one', artifact('weights', 'inline b'));
    expect(written).toMatchObject({
      type: 'checkpoint-written',
      data: { runId, taskId: 'one', attempt: 1, checkpoint: artifact('weights', 'inline b'), kept: false },
    });
    save(run, 'one', artifact('round', 'c'));
    run.fail('one');
    run.advance(1_000);
    expect(names(run, 'one')).toEqual(shown(artifact('weights', 'inline b'), artifact('round', 'c')));
    run.run('one');
    run.run('two');
    expect(run.left()).toEqual(['clock', `run/${runId}`]);
  });

  it('are refused from a worker that was replaced: it is told to stop, and that is recorded', async () => {
    const run = await RunDriver.open(linear({ retry: 1 }));
    run.start('one', 'frozen');
    save(run, 'one', artifact('weights', 'before'), 'frozen');
    const token = run.token('one', 'frozen');
    for (let waited = 0; waited <= leaseMs; waited += 5_000) run.advance(5_000);
    expect(run.dispatched('one')).toMatchObject({ attempt: 2 });
    const refused = save(run, 'one', artifact('weights', 'after'), 'frozen', token);
    expect(refused).toMatchObject([
      { type: 'task-revoked', data: { taskId: 'one', incarnation: 'frozen' } },
      {
        type: 'operation-recorded',
        data: { action: 'task.checkpoint', outcome: 'refused', actor: 'worker of frozen' },
      },
    ]);
    run.start('one', 'i2');
    run.fail('one', { token: run.token('one', 'i2'), final: true });
    expect(run.driver.counters()).toMatchObject({ checkpointsSaved: 1, checkpointsRefused: 1 });
    expect(names(run, 'one')).toEqual(shown(artifact('weights', 'before')));
  });

  it('go to the run that resumes it, and to each member of a gang its own', async () => {
    const chain = flow('tested')
      .gang('train', { size: 2 }, () => ({ trained: 1 }))
      .join('best', () => ({}));
    const failed = await RunDriver.open(chain);
    for (const rank of [0, 1]) failed.start(`train.${rank}.member`);
    for (const rank of [0, 1]) save(failed, `train.${rank}.member`, artifact('weights', `of ${rank}`));
    failed.fail('train.0.member');
    const run = failed.resume(idBeside('next'));
    expect(names(run, 'train.0.member')).toEqual(shown(artifact('weights', 'of 0')));
    expect(names(run, 'train.1.member')).toEqual(shown(artifact('weights', 'of 1')));
  });

  it('are a hundred at most', async () => {
    const run = await RunDriver.open(linear());
    run.start('one');
    for (let number = 0; number < 100; number++) save(run, 'one', artifact(`c${number}`));
    expect(save(run, 'one', artifact('c7', 'again'))[0]?.type).toBe('checkpoint-written');
    expect(save(run, 'one', artifact('c100')).map(({ type }) => type)).toEqual(['task-revoked', 'operation-recorded']);
  });
});

import { describe, expect, it } from 'vitest';
import { linear, RunDriver, runId } from './run-progress-fixture.ts';

const change = (run: RunDriver, add: readonly string[], remove: readonly string[] = []) =>
  run.pipe('run-tags-requested', { runId, requestId: 'r', actor: 'ada', add, remove });

describe('tags of a run', () => {
  it('change at any time, also after the end: first removed, then added', async () => {
    const run = await RunDriver.open(linear());
    expect(change(run, ['nightly', 'naïve try', 'nightly'])).toMatchObject([
      {
        type: 'run-tags-changed',
        data: { tags: ['nightly', 'naïve try'], added: ['nightly', 'naïve try'], removed: [] },
      },
    ]);
    run.run('one');
    run.run('two');
    expect(change(run, ['nightly', 'kept'], ['nightly', 'never there'])).toMatchObject([
      { data: { tags: ['naïve try', 'nightly', 'kept'], added: ['kept'], removed: [] } },
    ]);
    run.left();
    expect(change(run, [], ['kept'])).toMatchObject([{ data: { tags: ['naïve try', 'nightly'], removed: ['kept'] } }]);
  });

  it('are refused whole: system tags stay, 50 at most, 500 characters each, of runs that exist', async () => {
    const run = await RunDriver.open(linear());
    run.driver.pipe({
      type: 'run-requested',
      key: 'other',
      data: { ...requested, runId: 'other', tags: ['mine'], systemTags: ['user:ada'] },
    });
    run.take();
    const asked = { runId: 'other', requestId: 'r', actor: 'ada' };
    const say = (add: readonly string[], remove: readonly string[] = []) =>
      run.pipe('run-tags-requested', { ...asked, add, remove }).map(({ data }) => (data as { reason?: string }).reason);
    expect(say(['new'], ['mine', 'user:ada'])).toEqual(["system tags cannot be removed: 'user:ada'"]);
    expect(say(Array.from({ length: 50 }, (_, n) => `tag ${n}`))).toEqual(['a run has at most 50 tags, got 51']);
    expect(say(['x'.repeat(501)])[0]).toContain('a tag must be a text of 1 to 500 characters');
    expect(say(['user:ada'], [])).toEqual([undefined]);
    expect(run.pipe('run-tags-requested', { ...asked, runId: 'nobody', add: ['a'], remove: [] })).toMatchObject([
      { type: 'run-tags-refused', data: { reason: "there is no run 'nobody'" } },
    ]);
    expect(run.driver.state<{ user: string[] }>('tags/other')?.user).toEqual(['mine']);
  });

  it('come from a step when its attempt is accepted, and not from one that fails', async () => {
    const run = await RunDriver.open(linear({ retry: 1 }));
    const requests = [{ kind: 'tag-run', body: JSON.stringify({ add: ['good model'] }) }];
    run.start('one');
    run.fail('one');
    run.start('one');
    const said = run.complete('one', { requests });
    expect(said.filter(({ type }) => type === 'run-tags-changed')).toMatchObject([
      { data: { tags: ['good model'], actor: 'ada' } },
    ]);
  });
});

const requested = {
  flow: 'tested',
  version: 1,
  bundleHash: 'b'.repeat(64),
  graph: JSON.stringify((linear() as { graph: object }).graph),
  parameters: '{}',
  cause: { kind: 'manual', id: 'request-2', position: null },
  actor: 'ada',
};

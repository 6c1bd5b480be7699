import { describe, expect, it } from 'vitest';
import { createTopologyDriver } from '../../runtime/testing/index.ts';
import { registry } from '../../topologies/registry.ts';

async function start(rule?: object, first: object = {}) {
  const driver = await createTopologyDriver(registry);
  let requests = 0;
  const said = () =>
    driver
      .takeOutputs()
      .flatMap(({ topic, type, data }) => (topic === 'registry' ? [{ type, ...(data as object) }] : []));
  const edit = (kind: string, more: object = {}, actor = 'ada') => {
    const base = {
      model: 'wine',
      requestId: `q${requests++}`,
      version: null,
      key: '',
      value: '',
      tags: {},
      archive: false,
    };
    driver.pipe({ type: 'edit-requested', key: 'wine', data: { ...base, edit: kind, actor, ...more } });
    return said();
  };
  const register = (rmse: number, more: object = {}) => {
    const artifact = { name: 'onnx', hash: 'a'.repeat(64), sizeBytes: 1, codec: 'onnx' };
    const data = {
      model: 'wine',
      requestId: `q${requests++}`,
      runId: null,
      taskId: null,
      flow: null,
      artifact,
      metrics: { rmse },
      tags: {},
      alias: null,
      description: '',
      actor: 'ada',
      ...more,
    };
    driver.pipe({ type: 'version-requested', key: 'wine', data });
    return said();
  };
  const setAlias = (version: number, actor = 'ada') => {
    const data = { model: 'wine', requestId: `q${requests++}`, alias: 'champion', version, actor };
    driver.pipe({ type: 'alias-requested', key: 'wine', data });
    return said();
  };
  register(0.8, first);
  setAlias(1);
  if (rule !== undefined) edit('protect', { key: 'champion', value: JSON.stringify(rule) });
  return { driver, edit, register, setAlias };
}

describe('a rule of an alias', () => {
  it('compares metrics with the present champion, and with a limit', async () => {
    const { register, setAlias } = await start({ metrics: [{ metric: 'rmse', better: 'lower', by: 0.05, limit: 1 }] });
    register(0.79);
    expect(setAlias(2)).toMatchObject([
      {
        type: 'registry-refused',
        code: 'FORBIDDEN',
        reason: expect.stringContaining('rmse is 0.79; better by 0.05') as string,
      },
    ]);
    register(0.7);
    expect(setAlias(3)).toMatchObject([{ type: 'alias-set', version: 3, previous: 1 }]);
    register(Number.NaN);
    expect(setAlias(4)).toMatchObject([{ reason: expect.stringContaining("no metric 'rmse'") as string }]);
  });

  it.each(['latest', 'Latest', 'v3', 'V3', 'a b', ''])(
    'is not kept for %j, which no alias may be called',
    async (key) => {
      const { edit } = await start();
      expect(edit('protect', { key, value: '{"approval":true}' })).toMatchObject([
        { type: 'registry-refused', code: 'INVALID_ARGUMENT', reason: expect.stringContaining('alias') as string },
      ]);
      // One that was made before can go.
      expect(edit('protect', { key, value: '' })).toMatchObject([{ type: 'edited', edit: 'protect' }]);
    },
  );

  it('wants tags, such as one of a flow of tests, and the same inputs and outputs', async () => {
    const signed = { tags: { 'millrace.signature': 'x -> y' } };
    const { register, setAlias, edit } = await start({ tags: { tests: 'green' }, signature: true }, signed);
    register(0.1, { tags: { 'millrace.signature': 'x, z -> y' } });
    expect(setAlias(2)).toMatchObject([
      {
        reason: expect.stringMatching(
          /tag 'tests' is missing.*inputs and outputs are not those of version 1/,
        ) as string,
      },
    ]);
    edit('tag', { version: 2, key: 'tests', value: 'green' });
    expect(setAlias(2)).toMatchObject([{ reason: expect.stringContaining('inputs and outputs') as string }]);
    register(0.1, signed);
    edit('tag', { version: 3, key: 'tests', value: 'green' });
    expect(setAlias(3)).toMatchObject([{ type: 'alias-set', version: 3 }]);
  });

  it('lets a move wait for a second person, and judges it again then', async () => {
    const { register, setAlias, edit } = await start({
      approval: true,
      metrics: [{ metric: 'rmse', better: 'lower' }],
    });
    register(0.7);
    expect(setAlias(2)).toMatchObject([
      {
        type: 'registry-refused',
        code: 'FORBIDDEN',
        reason: expect.stringContaining('needs a second person') as string,
      },
      { type: 'edited', edit: 'propose', key: 'champion', version: 2, actor: 'ada' },
    ]);
    expect(edit('approve', { key: 'champion', version: 2 })).toMatchObject([
      { type: 'registry-refused', code: 'FORBIDDEN' },
    ]);
    expect(edit('approve', { key: 'champion', version: 1 }, 'bob')).toMatchObject([{ code: 'NOT_FOUND' }]);
    expect(edit('approve', { key: 'champion', version: 2 }, 'bob')).toMatchObject([
      { type: 'edited', edit: 'approve', actor: 'bob' },
      { type: 'alias-set', version: 2, previous: 1, actor: 'bob' },
    ]);
    expect(edit('approve', { key: 'champion', version: 2 }, 'bob')).toMatchObject([{ code: 'NOT_FOUND' }]);
  });

  it('tells who asked that the proposal came to nothing: rejected, or another one took its place', async () => {
    const { register, setAlias, edit } = await start({ approval: true });
    register(0.7);
    const first = setAlias(2, 'rollout of shop').find(({ type }) => type === 'registry-refused');
    const requestId: unknown = Object(first).requestId;
    const rejected = edit('reject', { key: 'champion', version: 2, value: 'bad' }, 'bob');
    expect(rejected[1]).toMatchObject({ type: 'registry-refused', requestId, actor: 'rollout of shop' });
    const [second] = setAlias(2, 'rollout of shop');
    expect(setAlias(1, 'eve').at(-1)).toMatchObject({
      type: 'registry-refused',
      requestId: Object(second).requestId as unknown,
      reason: expect.stringContaining('eve has proposed version 1 since') as string,
    });
    expect(register(0.6, { alias: 'champion' }).map(({ type }) => type)).toEqual([
      'version-registered',
      'edited',
      'registry-refused',
    ]);
  });

  it('is not passed by: a version that is registered with the alias is there, and proposed, or refused the alias', async () => {
    const { register, edit } = await start({ approval: true, metrics: [{ metric: 'rmse', better: 'lower' }] });
    expect(register(0.5, { alias: 'champion' })).toMatchObject([
      { type: 'version-registered', version: 2 },
      { type: 'edited', edit: 'propose', version: 2 },
    ]);
    expect(register(0.9, { alias: 'champion' })).toMatchObject([{ type: 'version-registered', version: 3 }]);
    expect(edit('reject', { key: 'champion', version: 2, value: 'not now' }, 'bob')).toMatchObject([
      { type: 'edited', edit: 'reject', value: 'not now' },
      {
        type: 'registry-refused',
        code: 'FORBIDDEN',
        reason: expect.stringContaining('rejected by bob: not now') as string,
      },
    ]);
  });

  it.each([
    ['the alias is not taken away', 'remove-alias', { key: 'champion' }],
    ['the version that has it is not deleted', 'delete', { version: 1 }],
    ['the model is not deleted', 'delete', {}],
    ['the model is not renamed', 'rename', { value: 'x' }],
  ])('cannot be gone around: %s until the rule is', async (_, kind, more) => {
    const { edit } = await start({ metrics: [{ metric: 'rmse', better: 'lower' }] });
    const reason = expect.stringMatching(
      /alias 'champion' has the rule .*"rmse".*models protect wine champion --remove/,
    ) as string;
    expect(edit(kind, more)).toMatchObject([{ type: 'registry-refused', code: 'FORBIDDEN', reason }]);
    edit('protect', { key: 'champion', value: '' });
    expect(edit(kind, more)).toMatchObject([{ type: kind === 'rename' ? 'rename-offered' : 'edited' }]);
  });

  it('leaves other aliases and versions as free as they were', async () => {
    const { edit, register } = await start({ approval: true });
    register(0.7, { alias: 'other' });
    expect(edit('remove-alias', { key: 'other' })).toMatchObject([{ type: 'edited' }]);
    expect(edit('delete', { version: 2 })).toMatchObject([{ type: 'edited' }]);
  });

  it('rests on signatures of MLmodel files: neither tags of people nor those of tasks make one', async () => {
    const { edit, register } = await start({ signature: true });
    for (const kind of ['tag', 'untag']) {
      expect(edit(kind, { version: 1, key: 'millrace.signature', value: 'forged' })).toMatchObject([
        { type: 'registry-refused', code: 'FORBIDDEN' },
      ]);
    }
    const tags = { 'millrace.signature': 'forged', family: 'linear' };
    expect(register(0.1, { taskId: 'train', tags })).toMatchObject([
      { tags: expect.not.objectContaining({ 'millrace.signature': 'forged' }) as object },
    ]);
  });

  it('is refused when it makes no sense, and taken away by nothing', async () => {
    const { edit, setAlias, register } = await start({ approval: true });
    for (const rule of [
      '{',
      '[]',
      '{"approve":true}',
      '{"metrics":[{"metric":"a"}]}',
      '{"tags":{"a":1}}',
      '{"signature":1}',
    ]) {
      expect(edit('protect', { key: 'champion', value: rule }), rule).toMatchObject([{ type: 'registry-refused' }]);
    }
    expect(edit('protect', { key: 'champion', value: '' })).toMatchObject([{ type: 'edited', edit: 'protect' }]);
    register(9);
    expect(setAlias(2)).toMatchObject([{ type: 'alias-set', version: 2 }]);
  });

  it('keeps numbers of versions that come from elsewhere, and never gives one twice', async () => {
    const { register } = await start();
    expect(register(1, { number: 7 })).toMatchObject([{ type: 'version-registered', version: 7 }]);
    expect(register(1, { number: 3 })).toMatchObject([{ type: 'registry-refused' }]);
    expect(register(1)).toMatchObject([{ type: 'version-registered', version: 8 }]);
  });
});

import { describe, expect, it } from 'vitest';
import { createTopologyDriver } from '../../runtime/testing/index.ts';
import { registry } from '../../topologies/registry.ts';

async function start(rule?: object) {
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
  register(0.8);
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

  it('wants tags, such as one of a flow of tests, and the same inputs and outputs', async () => {
    const { register, setAlias, edit } = await start({ tags: { tests: 'green' }, signature: true });
    edit('tag', { version: 1, key: 'millrace.signature', value: 'x -> y' });
    register(0.1, { tags: { 'millrace.signature': 'x, z -> y' } });
    expect(setAlias(2)).toMatchObject([
      {
        reason: expect.stringMatching(
          /tag 'tests' is missing.*inputs and outputs are not those of version 1/,
        ) as string,
      },
    ]);
    edit('tag', { version: 2, key: 'tests', value: 'green' });
    edit('tag', { version: 2, key: 'millrace.signature', value: 'x -> y' });
    expect(setAlias(2)).toMatchObject([{ type: 'alias-set', version: 2 }]);
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

  it('is not passed by: a version that is registered with the alias is there, and proposed, or refused the alias', async () => {
    const { register, edit } = await start({ approval: true, metrics: [{ metric: 'rmse', better: 'lower' }] });
    expect(register(0.5, { alias: 'champion' })).toMatchObject([
      { type: 'version-registered', version: 2 },
      { type: 'edited', edit: 'propose', version: 2 },
    ]);
    expect(register(0.9, { alias: 'champion' })).toMatchObject([{ type: 'version-registered', version: 3 }]);
    expect(edit('reject', { key: 'champion', version: 2, value: 'not now' }, 'bob')).toMatchObject([
      { type: 'edited', edit: 'reject', value: 'not now' },
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

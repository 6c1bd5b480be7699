import { describe, expect, it } from 'vitest';
import { createTopologyDriver } from '../../runtime/testing/index.ts';
import type { AliasRequested, VersionRequested } from '../../schemas/events.ts';
import { registry } from '../../topologies/registry.ts';

const hash = (digit: string): string => digit.repeat(64);

function versionRequest(requestId: string, changes: Partial<VersionRequested> = {}): VersionRequested {
  return {
    model: 'diamonds',
    requestId,
    runId: 'run-1',
    taskId: 'task-1',
    flow: 'diamonds',
    artifact: { name: 'onnx', hash: hash('a'), sizeBytes: 10, codec: 'onnx' },
    metrics: { rmse: 1.5 },
    tags: { family: 'linear' },
    alias: null,
    description: '',
    actor: 'ada',
    ...changes,
  };
}

function aliasRequest(requestId: string, alias: string, version: number): AliasRequested {
  return { model: 'diamonds', requestId, alias, version, actor: 'ada' };
}

async function start() {
  const driver = await createTopologyDriver(registry);
  const rows = (outputs: ReturnType<typeof driver.takeOutputs>) =>
    outputs.flatMap((output) => (output.type === 'model-version-row' ? [output] : []));
  return {
    driver,
    register(request: VersionRequested) {
      driver.pipe({ type: 'version-requested', data: request, key: request.model });
      return driver.takeOutputs();
    },
    setAlias(request: AliasRequested) {
      driver.pipe({ type: 'alias-requested', data: request, key: request.model });
      return driver.takeOutputs();
    },
    rows,
  };
}

describe('registry', () => {
  it('numbers the versions of each model from 1 without holes', async () => {
    const { register } = await start();
    const versions = [
      versionRequest('r1'),
      versionRequest('r2'),
      versionRequest('r3', { model: 'wine' }),
      versionRequest('r4'),
    ].map((request) => register(request).find(({ type }) => type === 'version-registered')?.data);
    expect(versions).toMatchObject([
      { model: 'diamonds', version: 1, requestId: 'r1' },
      { model: 'diamonds', version: 2 },
      { model: 'wine', version: 1 },
      { model: 'diamonds', version: 3, runId: 'run-1', metrics: { rmse: 1.5 } },
    ]);
  });

  it('writes a row of the table under model/version, all in one partition', async () => {
    const { driver, register, rows } = await start();
    const [row] = rows(register(versionRequest('r1')));
    expect(row).toMatchObject({
      topic: 'models',
      key: 'diamonds/1',
      partition: 0,
      data: { model: 'diamonds', version: 1, aliases: [], tags: { family: 'linear' }, registeredAt: driver.nowMs },
    });
  });

  it('says nothing when a request comes again, and gives the next one the next number', async () => {
    const { driver, register } = await start();
    register(versionRequest('r1'));
    expect(register(versionRequest('r1'))).toEqual([]);
    expect(driver.counters()).toMatchObject({ accepted: 1, repeated: 1 });
    expect(register(versionRequest('r2')).at(-1)?.data).toMatchObject({ version: 2 });
  });

  it('takes the same request id for another model as another request', async () => {
    const { register } = await start();
    register(versionRequest('r1'));
    expect(register(versionRequest('r1', { model: 'wine' })).at(-1)?.data).toMatchObject({ model: 'wine', version: 1 });
  });

  it('moves an alias with the rows of both versions', async () => {
    const { register, setAlias, rows } = await start();
    register(versionRequest('r1', { alias: 'champion' }));
    register(versionRequest('r2'));
    const outputs = setAlias(aliasRequest('r3', 'champion', 2));
    expect(rows(outputs).map(({ key, data }) => [key, data.aliases])).toEqual([
      ['diamonds/1', []],
      ['diamonds/2', ['champion']],
    ]);
    expect(outputs.at(-1)).toMatchObject({ type: 'alias-set', data: { version: 2, previous: 1, requestId: 'r3' } });
  });

  it('registers with an alias in one request', async () => {
    const { register, rows } = await start();
    register(versionRequest('r1', { alias: 'champion' }));
    const outputs = register(versionRequest('r2', { alias: 'champion' }));
    expect(outputs.map(({ type }) => type)).toEqual([
      'version-registered',
      'model-version-row',
      'model-version-row',
      'alias-set',
    ]);
    expect(rows(outputs).map(({ key, data }) => [key, data.aliases])).toEqual([
      ['diamonds/1', []],
      ['diamonds/2', ['champion']],
    ]);
  });

  it('keeps the other aliases of a version when one moves away', async () => {
    const { register, setAlias, rows } = await start();
    register(versionRequest('r1', { alias: 'champion' }));
    setAlias(aliasRequest('r2', 'stable', 1));
    register(versionRequest('r3'));
    expect(rows(setAlias(aliasRequest('r4', 'champion', 2)))[0]?.data.aliases).toEqual(['stable']);
  });

  it.each([
    ['an unknown model', aliasRequest('r9', 'champion', 1), 'has no versions'],
    ['a reserved alias', aliasRequest('r9', 'latest', 1), "alias 'latest' is reserved"],
    ['one in other letters', aliasRequest('r9', 'LaTest', 1), "alias 'LaTest' is reserved"],
    ['an alias like a number', aliasRequest('r9', 'V12', 1), "alias 'V12' is reserved"],
    ['an alias with a slash', aliasRequest('r9', 'a/b', 1), 'alias must be 1 to 255 letters'],
    ['a request id with a space', aliasRequest('r 9', 'champion', 1), 'requestId must be'],
    ['a hostile model name', { ...aliasRequest('r9', 'champion', 1), model: '../x' }, 'model must be'],
  ])('refuses %s and says why', async (_, request, reason) => {
    const { driver, setAlias } = await start();
    const outputs = setAlias(request);
    expect(outputs).toMatchObject([{ type: 'registry-refused', data: { requestId: request.requestId, actor: 'ada' } }]);
    expect(outputs[0]?.data).toHaveProperty('reason', expect.stringContaining(reason));
    expect(driver.counters()).toMatchObject({ refused: 1 });
  });

  it('refuses an alias for a version that does not exist', async () => {
    const { register, setAlias } = await start();
    register(versionRequest('r1'));
    expect(setAlias(aliasRequest('r2', 'champion', 7))[0]?.data).toMatchObject({
      reason: "model 'diamonds' has versions 1 to 1, not 7",
    });
  });

  it('refuses an artifact without a hash and uses up no number', async () => {
    const { register } = await start();
    const artifact = { name: 'onnx', hash: 'zz', sizeBytes: 1, codec: 'onnx' };
    expect(register(versionRequest('r1', { artifact }))).toMatchObject([{ type: 'registry-refused' }]);
    expect(register(versionRequest('r2')).at(-1)?.data).toMatchObject({ version: 1 });
  });

  it.each([
    ['refused', 'taken'],
    ['done', null],
  ])('keeps what is asked while a model is being renamed, and decides it when that is %s', async (_, reason) => {
    const { driver, register, setAlias } = await start();
    register(versionRequest('r1'));
    const rename = { edit: 'rename', version: null, key: '', value: 'gems', tags: {}, archive: false, actor: 'ada' };
    const data = { model: 'diamonds', requestId: 'r2', ...rename };
    driver.pipe({ type: 'edit-requested', data, key: 'diamonds' });
    expect(driver.takeOutputs()).toMatchObject([{ type: 'rename-offered' }]);
    expect(register(versionRequest('r3', { taskId: 'train' }))).toEqual([]);
    expect(setAlias(aliasRequest('promote/shop/1/1', 'champion', 1))).toEqual([]);
    const answered = { model: 'diamonds', to: 'gems', requestId: 'r2', actor: 'ada', reason };
    driver.pipe({ type: 'rename-answered', data: answered, key: 'diamonds' });
    const again = driver.takeOutputs().filter(({ type }) => type.endsWith('-requested'));
    expect(again).toMatchObject([
      { type: 'version-requested', key: 'diamonds', data: { requestId: 'r3' } },
      { type: 'alias-requested', key: 'diamonds', data: { requestId: 'promote/shop/1/1' } },
    ]);
    expect(register(again[0]?.data as VersionRequested).at(-1)).toMatchObject({ data: { version: 2 } });
    expect(setAlias(again[1]?.data as AliasRequested).at(-1)).toMatchObject({
      type: reason === null ? 'registry-refused' : 'alias-set',
    });
    expect(driver.stateKeys().filter((key) => key.startsWith('waiting'))).toEqual([]);
  });

  it('takes what is attached by its hash alone', async () => {
    const { driver, register } = await start();
    const attached = (value: string) => ({ tags: { 'millrace.attached.sample': value } });
    expect(register(versionRequest('r1', attached('yes')))).toMatchObject([
      { type: 'registry-refused', data: { reason: expect.stringContaining('millrace.attached.sample') as string } },
    ]);
    expect(register(versionRequest('r2', attached(hash('b')))).at(-1)).toMatchObject({ data: { version: 1 } });
    const tag = { edit: 'tag', version: 1, key: 'millrace.attached.sample', value: 'no', tags: {}, archive: false };
    const data = { model: 'diamonds', requestId: 'r3', ...tag, actor: 'ada' };
    driver.pipe({ type: 'edit-requested', data, key: 'diamonds' });
    expect(driver.takeOutputs()).toMatchObject([{ type: 'registry-refused', data: { code: 'INVALID_ARGUMENT' } }]);
  });

  it('passes over its own facts', async () => {
    const { driver, register } = await start();
    const registered = register(versionRequest('r1')).find(({ type }) => type === 'version-registered');
    const before = driver.stateKeys().length;
    driver.pipe({ type: 'version-registered', data: registered!.data as never, key: 'diamonds' });
    expect(driver.takeOutputs()).toEqual([]);
    expect(driver.stateKeys()).toHaveLength(before);
  });
});

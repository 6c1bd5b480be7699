import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NewestRows } from '../../../runtime/engine/newest-rows.ts';
import type { Runtime } from '../../../runtime/engine/runtime.ts';
import { eventually } from '../../../runtime/testing/index.ts';
import { aliasRequest } from './toy-topology.ts';
import { World } from './world.ts';

describe('following a topic', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.create();
  });
  afterEach(() => world.close());

  const row = (runtime: Runtime, version: number): Buffer =>
    runtime.codec.encode('models', 'model-version-row', rowData(version));

  it('shows the first record of an id and drops repeats, poison and what its listener throws at', async () => {
    const runtime = await world.open();
    const seen: string[] = [];
    const poison: number[] = [];
    const running = await runtime.follow('registry', {
      from: 'earliest',
      onEvent: ({ id }) => {
        seen.push(id);
        if (seen.length === 1) throw new Error('a listener throws');
      },
      onPoison: ({ offset }) => poison.push(offset),
    });
    await runtime.publish([aliasRequest('a', 1), aliasRequest('a', 1)]);
    await world.append('registry', { ce_id: 'bad' }, Buffer.from('garbage'));
    await runtime.publish([aliasRequest('a', 2)]);
    await eventually('the last came', () => seen.length === 2);
    await running.close();
    expect(seen).toEqual(['request-a-1', 'request-a-2']);
    expect(poison).toEqual([2]);
  });

  it('reads a table to its present end before it answers "unknown"', async () => {
    const runtime = await world.open({ partitions: { models: 1 } });
    const table = await runtime.openTable('models');
    expect(await table.find('m/1')).toBeUndefined();
    await world.append('models', { ce_id: 'registry/0.0/models/0/1' }, row(runtime, 1), 'm/1');
    expect(await table.find('m/1')).toMatchObject({ version: 1 });
  });

  it('forgets a row by its tombstone', async () => {
    const runtime = await world.open({ partitions: { models: 1 } });
    await world.append('models', { ce_id: 'registry/0.0/models/0/1' }, row(runtime, 1), 'm/1');
    await world.append('models', { ce_id: 'registry/0.0/models/0/2' }, null, 'm/1');
    const table = await runtime.openTable('models');
    expect(table.rows()).toEqual([]);
  });

  it('keeps the newest row of a key although a zombie wrote an older one behind it', async () => {
    const runtime = await world.open({ partitions: { models: 1 } });
    await world.append('models', { ce_id: 'registry/0.0/models/0/7' }, row(runtime, 7), 'm/1');
    await world.append('models', { ce_id: 'registry/0.0/models/0/3' }, row(runtime, 3), 'm/1');
    const table = await runtime.openTable('models');
    expect(table.get('m/1')).toMatchObject({ version: 7 });
  });

  it('shows a row that compaction left behind rows of higher ordinals', async () => {
    const runtime = await world.open({ partitions: { models: 1 } });
    await world.append('models', { ce_id: 'registry/0.0/models/0/9' }, row(runtime, 9), 'other/1');
    await world.append('models', { ce_id: 'registry/0.0/models/0/3' }, row(runtime, 3), 'm/1');
    const table = await runtime.openTable('models');
    expect(table.get('m/1')).toMatchObject({ version: 3 });
  });
});

describe('rows of a compacted topic', () => {
  it('are judged by branch, then ordinal, key by key', () => {
    const rows = new NewestRows();
    const key = Buffer.from('k');
    expect(rows.isOld(key, 'o/0.0/models/0/5')).toBe(false);
    expect(rows.isOld(key, 'o/0.0/models/0/5')).toBe(true);
    expect(rows.isOld(Buffer.from('l'), 'o/0.0/models/0/4')).toBe(false);
    expect(rows.isOld(key, 'o/0.1/models/0/2')).toBe(false);
    expect(rows.isOld(key, 'o/0.0/models/0/6')).toBe(true);
    expect(rows.isOld(key, 'said-by-a-service')).toBe(false);
  });
});

function rowData(version: number): object {
  const artifact = { name: 'model', hash: 'ab'.repeat(32), sizeBytes: 1, codec: 'onnx' };
  const nobody = { runId: null, taskId: null, flow: null };
  return {
    model: 'm',
    version,
    aliases: [],
    ...nobody,
    artifact,
    metrics: {},
    tags: {},
    description: '',
    actor: 'test',
    registeredAt: 0,
  };
}

import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { createMemoryLog, MemoryLogStorage } from '../../../runtime/adapters/memory-log.ts';
import { createTestRuntime, eventually } from '../../../runtime/testing/index.ts';
import { createGateway } from '../../../services/gateway/gateway.ts';
import { createMaintenance } from '../../../services/maintenance/maintenance.ts';
import { registry } from '../../../topologies/registry.ts';
import { local } from './gateway-fixture.ts';

it('a replay of a dead letter is an operation of its actor, also one that names no dead letter', async () => {
  const storage = new MemoryLogStorage();
  const test = await createTestRuntime({ parts: { log: createMemoryLog({ storage }) } });
  const { runtime } = test;
  const gateway = await createGateway({
    runtime,
    inference: undefined,
    queries: {} as never,
    maintenance: createMaintenance(runtime),
    metrics: new Registry(),
    version: '0.0.0',
    port: 0,
    actor: 'os-user',
  });
  try {
    const place = { topic: 'registry', partition: 0, key: 'm' };
    await runtime.parts.log.append([{ ...place, value: Buffer.from('garbage'), headers: { ce_id: 'bad' } }]);
    await (await runtime.runTopology(registry)).ready();
    const id = 'registry/registry/0@0';
    const letters = async () => (await gateway.app.inject({ url: '/api/v1/dead-letters', headers: local })).json();
    await eventually('there is a dead letter', async () => JSON.stringify(await letters()).includes(id));
    const replay = async (letter: string) =>
      await gateway.app.inject({
        method: 'POST',
        url: '/api/v1/dead-letters/replay',
        headers: { ...local, 'x-millrace-actor': 'ada' },
        payload: { id: letter },
      });
    expect((await replay(id)).statusCode).toBe(202);
    expect((await replay('registry/registry/0@77')).statusCode).toBe(404);
    const found: unknown[] = [];
    for (const partition of [0, 1, 2])
      for await (const records of runtime.parts.log.read({ topic: 'operations', partition }, { from: 0 }))
        for (const record of records) found.push((await runtime.decode('operations', record)).data);
    const said = { action: 'dead-letter.replay', actor: 'ada', outcome: 'requested' };
    expect(found).toContainEqual(expect.objectContaining({ ...said, object: id }));
    expect(found).toContainEqual(expect.objectContaining({ ...said, object: 'registry/registry/0@77' }));
  } finally {
    await gateway.close();
    await test.close();
  }
});

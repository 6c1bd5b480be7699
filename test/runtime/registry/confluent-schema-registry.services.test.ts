import { describe, expect, it } from 'vitest';
import { openConfluentSchemaRegistry } from '../../../runtime/adapters/registry/confluent-schema-registry.ts';
import { describeSchemaRegistry } from '../../conformance/schema-registry/schema-registry-suite.ts';
import { schemaV1, subjectName } from '../../conformance/schema-registry/schemas.ts';

const url = process.env['MILLRACE_TEST_REGISTRY_URL'];

describe.skipIf(url === undefined)('with a real registry', () => {
  describeSchemaRegistry('confluent', async () => {
    const registry = await openConfluentSchemaRegistry({ url: url! });
    return {
      registry,
      reopen: () => openConfluentSchemaRegistry({ url: url! }),
      dispose: () => registry.close(),
    };
  });

  it('sets the level of a subject before its first version', async () => {
    const registry = await openConfluentSchemaRegistry({ url: url! });
    const subject = subjectName();
    await registry.register(subject, schemaV1(subject));
    const response = await fetch(`${url}/config/${subject}`);
    expect(await response.json()).toMatchObject({ compatibilityLevel: 'FULL_TRANSITIVE' });
  });

  it('refuses a subject that has another level', async () => {
    const registry = await openConfluentSchemaRegistry({ url: url! });
    const subject = subjectName();
    await registry.register(subject, schemaV1(subject));
    await fetch(`${url}/config/${subject}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: '{"compatibility":"NONE"}',
    });
    await expect(registry.register(subject, schemaV1(subject))).rejects.toThrow(/has the compatibility level NONE/);
  });
});

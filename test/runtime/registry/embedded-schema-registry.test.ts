import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEmbeddedSchemaRegistry } from '../../../runtime/adapters/registry/embedded-schema-registry.ts';
import { describeSchemaRegistry } from '../../conformance/schema-registry/schema-registry-suite.ts';
import { codeOf, schemaV1, schemaV2 } from '../../conformance/schema-registry/schemas.ts';

const temporaryDirectory = (): Promise<string> => mkdtemp(join(tmpdir(), 'millrace-registry-'));

describeSchemaRegistry('embedded', async () => {
  const directory = await temporaryDirectory();
  const registry = await openEmbeddedSchemaRegistry({ directory });
  return {
    registry,
    reopen: () => openEmbeddedSchemaRegistry({ directory }),
    dispose: async () => {
      await registry.close();
      await rm(directory, { recursive: true });
    },
  };
});

describe('the embedded schema registry', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await temporaryDirectory();
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('gives one id to a schema under two subjects, and the next id to the next schema', async () => {
    const registry = await openEmbeddedSchemaRegistry({ directory });
    expect(await registry.register('a.Reading', schemaV1('a.Reading'))).toBe(1);
    expect(await registry.register('readings-value', schemaV1('a.Reading'))).toBe(1);
    expect(await registry.register('a.Reading', schemaV2('a.Reading'))).toBe(2);
  });

  it('names subject, version and field of what is incompatible', async () => {
    const registry = await openEmbeddedSchemaRegistry({ directory });
    await registry.register('a.Reading', schemaV1('a.Reading'));
    const breaking = schemaV1('a.Reading', [{ name: 'place', type: 'string' }]);
    await expect(registry.register('a.Reading', breaking)).rejects.toThrow(
      'The schema for subject "a.Reading" is not FULL_TRANSITIVE compatible with version 1: field "place": it was added without a default',
    );
  });

  it('leaves one file, and takes a half-written one beside it for nothing', async () => {
    const registry = await openEmbeddedSchemaRegistry({ directory });
    await registry.register('a.Reading', schemaV1('a.Reading'));
    expect(await readdir(directory)).toEqual(['registry.json']);
    await writeFile(join(directory, 'registry.json.part'), '{"format":1,"sch');
    const again = await openEmbeddedSchemaRegistry({ directory });
    expect(await again.latest('a.Reading')).toBe(1);
  });

  it('refuses a file of a newer format, and one that is corrupt', async () => {
    const path = join(directory, 'registry.json');
    await writeFile(path, '{"format":2}');
    expect(await codeOf(openEmbeddedSchemaRegistry({ directory }))).toBe('NEWER_FORMAT');
    await writeFile(path, '{"format":1,"sch');
    expect(await codeOf(openEmbeddedSchemaRegistry({ directory }))).toBe('CORRUPT');
    await writeFile(path, '[]');
    expect(await codeOf(openEmbeddedSchemaRegistry({ directory }))).toBe('CORRUPT');
  });
});

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiledFile } from '../compiled.ts';

const schemas = fileURLToPath(new URL('../../schemas/', import.meta.url));

interface Schema {
  fields: { name: string; type: unknown; default?: unknown }[];
}

describe('the check of schema evolution', () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'millrace-evolution-'));
    for (const folder of ['events', 'history']) cpSync(join(schemas, folder), join(root, folder), { recursive: true });
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  const check = (event: string, edit: (schema: Schema) => void) => {
    const file = join(root, 'events', event);
    const before = readFileSync(file, 'utf8');
    const schema = JSON.parse(before) as Schema;
    edit(schema);
    writeFileSync(file, JSON.stringify(schema));
    const { status, stderr } = spawnSync(
      process.execPath,
      [compiledFile(new URL('../../schemas/check-evolution.ts', import.meta.url)), '--root', root],
      { encoding: 'utf8' },
    );
    writeFileSync(file, before);
    return { status, stderr };
  };

  it('passes for the schemas as they are', () => {
    expect(check('runs/run-requested.avsc', () => undefined)).toMatchObject({ status: 0, stderr: '' });
  });

  it.each<[string, (schema: Schema) => void]>([
    ['a field without a default is added', (schema) => schema.fields.push({ name: 'added', type: 'string' })],
    ['a field without a default is removed', (schema) => schema.fields.splice(0, 1)],
    ['a type is changed', (schema) => Object.assign(schema.fields[0]!, { type: 'bytes' })],
    ['a field is renamed', (schema) => Object.assign(schema.fields[0]!, { name: 'renamed' })],
    [
      'a number is widened, which old readers cannot read',
      (schema) => Object.assign(schema.fields.find(({ type }) => type === 'int')!, { type: 'long' }),
    ],
  ])('is red when %s', (_, edit) => {
    const { status, stderr } = check('runs/run-requested.avsc', edit);
    expect(status).toBe(1);
    expect(stderr).toContain('runs.run-requested');
  });

  it('wants a compatible edit to be kept', () => {
    const { status, stderr } = check('runs/run-requested.avsc', (schema) =>
      schema.fields.push({ name: 'added', type: ['null', 'string'], default: null }),
    );
    expect(status).toBe(1);
    expect(stderr).toContain('is not kept');
  });
});

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/flows.md'), 'utf8');
const rows = page
  .slice(page.indexOf('## From Metaflow'))
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| Metaflow'));

describe('the table of features from Metaflow', () => {
  it.each(rows)('names a test that exists: %s', (row) => {
    const [, file = '', title = ''] = /`(test\/[^`]+)`: (.+?) \|$/.exec(row) ?? [];
    expect(existsSync(join(root, file)) && file !== '', `no test file in: ${row}`).toBe(true);
    expect(readFileSync(join(root, file), 'utf8')).toContain(`it('${title}'`);
  });

  it('has rows', () => {
    expect(rows.length).toBeGreaterThan(10);
  });
});

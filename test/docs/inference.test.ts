/** Each row of the table in docs/inference.md names a test that is there. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const root = new URL('../../', import.meta.url);
const page = readFileSync(new URL('docs/inference.md', root), 'utf8');
const rows = page.split('\n').filter((line) => /^\| .*`test\//.test(line));

it('has rows', () => expect(rows.length).toBeGreaterThan(10));

it.each(rows)('%s', (row) => {
  const [, file = '', title = ''] = /`(test\/[^`]+)`: ([^|]+?) \|$/.exec(row) ?? [];
  expect(title).not.toBe('');
  expect(readFileSync(new URL(file, root), 'utf8')).toContain(title);
});

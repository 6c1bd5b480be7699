import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const page = readFileSync(new URL('../../docs/guarantees.md', import.meta.url), 'utf8');
const named = [
  ...new Set([...page.matchAll(/`((?:test|docs|runtime)\/[\w./-]+\.(?:ts|md))`/g)].map(([, path]) => path ?? '')),
];

describe('the page of guarantees', () => {
  it('names only tests, decisions and files that exist', () => {
    expect(named.length).toBeGreaterThan(40);
    expect(named.filter((path) => !existsSync(new URL(`../../${path}`, import.meta.url)))).toEqual([]);
  });

  it('says of every history what shows it', () => {
    const rows = page
      .slice(page.indexOf('## Histories'))
      .split('\n')
      .filter((line) => line.startsWith('| '));
    for (const row of rows.slice(1)) {
      const [, history = '', shown = ''] = row.split('|').map((cell) => cell.trim());
      if (history.startsWith('**')) continue;
      expect([history, /`(?:test|docs)\/|not shown yet/.test(shown)]).toEqual([history, true]);
    }
  });
});

import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

it('the page of triggers names only tests that exist', () => {
  const page = readFileSync(new URL('../../docs/triggers.md', import.meta.url), 'utf8');
  const named = [...page.matchAll(/`(test\/[\w./-]+\.ts)`/g)].map(([, path]) => path ?? '');
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((path) => !existsSync(new URL(`../../${path}`, import.meta.url)))).toEqual([]);
});

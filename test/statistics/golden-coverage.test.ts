import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { goldenTopics } from './golden.ts';

test('every topic of reference results is used by a test', () => {
  const tests = readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith('.test.ts') && !name.endsWith('.long.test.ts'))
    .map((name) => readFileSync(path.join(import.meta.dirname, name), 'utf8'))
    .join('\n');
  const unused = goldenTopics().filter((topic) => !new RegExp(`golden(Case|Cases)\\('${topic}'`).test(tests));
  expect(unused).toEqual([]);
  expect(goldenTopics().length).toBeGreaterThanOrEqual(30);
});

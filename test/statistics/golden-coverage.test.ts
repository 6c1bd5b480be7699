import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { goldenFiles, goldenTopics } from './golden.ts';

const tests = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts') && !name.endsWith('.long.test.ts'))
  .map((name) => readFileSync(path.join(import.meta.dirname, name), 'utf8'))
  .join('\n');

test('every topic of reference results is used by a test', () => {
  const unused = goldenTopics().filter((topic) => !new RegExp(`golden(Case|Cases)\\('${topic}'`).test(tests));
  expect(unused).toEqual([]);
  expect(goldenTopics().length).toBeGreaterThanOrEqual(31);
});

/** What tests read, as they write it: one case by name, or all whose names begin so. */
const single = new Set(
  [...tests.matchAll(/goldenCase\('([^']+)', '([^']+)'\)/g)].map(([, topic, name]) => `${topic}/${name}`),
);
const several = [...tests.matchAll(/goldenCases\('([^']+)'(?:, '([^']*)')?\)/g)].map(
  ([, topic, prefix = '']) => `${topic}/${prefix}`,
);
const isRead = (file: string): boolean => single.has(file) || several.some((prefix) => file.startsWith(prefix));

test('every file of reference results is read by a test', () => {
  expect(goldenFiles().filter((file) => !isRead(file))).toEqual([]);
  expect(goldenFiles().length).toBeGreaterThan(250);
});

test('the reference results are those that came from outside, byte for byte, and no file is without its sum', () => {
  const golden = path.join(import.meta.dirname, '..', 'golden');
  const lines = readFileSync(path.join(golden, 'SHA256SUMS'), 'utf8').trim().split('\n');
  const sums = new Map(lines.map((line) => [line.slice(66), line.slice(0, 64)] as const));
  const found = goldenFiles().map((file) => {
    const bytes = readFileSync(path.join(golden, `${file}.json`));
    return [`${file}.json`, createHash('sha256').update(bytes).digest('hex')] as const;
  });
  expect(new Map(found)).toEqual(sums);
});

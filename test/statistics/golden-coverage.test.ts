import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { goldenFiles, goldenTopics } from './golden.ts';

const tests = readdirSync(import.meta.dirname)
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

const shared = path.join(import.meta.dirname, '..', '..', '..', 'shared', 'golden');

test.skipIf(!existsSync(shared))(
  'the reference results are those that were handed over, byte for byte, and no file is left out',
  () => {
    const index = JSON.parse(readFileSync(path.join(shared, 'index.json'), 'utf8')) as {
      readonly files: readonly { readonly file: string; readonly sha256: string }[];
    };
    const here = new Map(goldenFiles().map((file) => [`${file}.json`, file]));
    const differing = index.files.filter(({ file, sha256 }) => {
      if (!here.has(file)) return true;
      const bytes = readFileSync(path.join(import.meta.dirname, '..', 'golden', file));
      return createHash('sha256').update(bytes).digest('hex') !== sha256;
    });
    expect(differing.map(({ file }) => file)).toEqual([]);
    expect(index.files.length).toBeGreaterThan(250);
  },
);

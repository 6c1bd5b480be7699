/** What the pages name must be there: tests by file and title, decisions, sources. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { commands } from '../../cli/commands/index.ts';

const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const pages = readdirSync(new URL('docs/', root)).filter((name) => name.endsWith('.md'));

/** Pages with a table of features, each of which must name the test that shows it by its title; at least so many rows. */
const featureTables: Readonly<Record<string, number>> = {
  'flows.md': 10,
  'inference.md': 20,
  'monitoring.md': 15,
  'tracking.md': 15,
  'webhooks.md': 5,
};

describe.each(pages)('docs/%s', (page) => {
  const text = read(`docs/${page}`);

  it('names only files that exist', () => {
    const named = [
      ...text.matchAll(/`((?:test|docs|runtime|services|topologies|bench|examples)\/[\w./-]+\.(?:ts|md|py))`/g),
    ];
    expect(named.map(([, path = '']) => path).filter((path) => !existsSync(new URL(path, root)))).toEqual([]);
  });

  it('names only tests that exist, by their titles', () => {
    const titled = [...text.matchAll(/`(test\/[\w./-]+\.ts)`: ([^|\n]+?) \|$/gm)];
    const missing = titled.filter(([, file = '', title = '']) => !read(file).includes(title));
    expect(missing.map(([row]) => row)).toEqual([]);
  });

  it('links to pages and headings that exist', () => {
    const links = [...withoutCode(text).matchAll(/\]\((?!https?:)([^)\s#]*)(?:#([^)\s]*))?\)/g)];
    const dead = links.filter(([, path = '', heading]) => {
      const target = new URL(path === '' ? page : path, new URL('docs/', root));
      if (!existsSync(target)) return true;
      return heading !== undefined && !headingsOf(readFileSync(target, 'utf8')).includes(heading);
    });
    expect(dead.map(([link]) => link)).toEqual([]);
  });
});

describe('docs/decisions', () => {
  it('are headed by their number and a title', () => {
    const names = readdirSync(new URL('docs/decisions/', root)).filter((name) => name !== 'README.md');
    const headless = names.filter((name) => !read(`docs/decisions/${name}`).startsWith(`# ${name.slice(0, 4)} `));
    expect(headless).toEqual([]);
  });
});

describe('docs/cli.md', () => {
  it('has every command', () => {
    const text = read('docs/cli.md');
    const known = commands.filter(({ hidden = false }) => !hidden).map(({ name }) => name);
    expect(known.filter((name) => !new RegExp(`^\\| \`${name}[ \`]|, \`${name} `, 'm').test(text))).toEqual([]);
  });
});

describe.each(Object.entries(featureTables))('the table of features in docs/%s', (page, atLeast) => {
  it('names a test in every row', () => {
    const rows = tableRows(read(`docs/${page}`), /^\| (?:feature|Metaflow)/);
    expect(rows.length).toBeGreaterThanOrEqual(atLeast);
    expect(rows.filter((row) => !/`test\/[^`]+`: [^|]+ \|$/.test(row))).toEqual([]);
  });
});

describe('the table of faults in docs/flows.md', () => {
  it('names a test in every row', () => {
    const rows = tableRows(read('docs/flows.md'), /^\| what happens \| what comes of it/);
    expect(rows.length).toBeGreaterThanOrEqual(10);
    expect(rows.filter((row) => !/`test\/[^`]+`: [^|]+ \|$/.test(row))).toEqual([]);
  });
});

describe('the table of histories in docs/guarantees.md', () => {
  it('says of every history what shows it', () => {
    const rows = tableRows(read('docs/guarantees.md'), /^\| history/i).filter((row) => !row.startsWith('| **'));
    expect(rows.length).toBeGreaterThan(40);
    expect(rows.filter((row) => !/\| .*(?:`(?:test|docs)\/|not shown yet)/.test(row))).toEqual([]);
  });
});

/** Rows of the table that begins with this heading. */
function tableRows(text: string, heading: RegExp): string[] {
  const lines = text.split('\n');
  const begin = lines.findIndex((line) => heading.test(line));
  expect(begin, `a table that begins with ${heading}`).toBeGreaterThan(0);
  const rest = lines.slice(begin + 2);
  const end = rest.findIndex((line) => !line.startsWith('|'));
  return rest.slice(0, end === -1 ? undefined : end);
}

function withoutCode(text: string): string {
  return text.replaceAll(/^ *```.*?^ *```$/gms, '');
}

/** As GitHub names them in addresses. */
function headingsOf(text: string): string[] {
  return [...withoutCode(text).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .trim()
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  );
}

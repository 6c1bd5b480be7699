/** Reads golden files and compares results with them under their stated tolerances. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';

export interface Golden {
  readonly name: string;
  readonly inputs: Record<string, unknown>;
  readonly expected: Record<string, unknown>;
  readonly tolerance: Record<string, Rule>;
}

interface Rule {
  readonly abs?: number;
  readonly rel?: number;
  readonly kind?: string;
}

const FOLDER = process.env['MILLRACE_GOLDEN'] ?? path.join(import.meta.dirname, '..', 'golden');

/** All topics that exist. */
export function goldenTopics(): string[] {
  return readdirSync(FOLDER, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}

/** `topic/case` of every file. */
export function goldenFiles(): string[] {
  return goldenTopics().flatMap((topic) =>
    readdirSync(path.join(FOLDER, topic)).flatMap((name) =>
      name.endsWith('.json') ? [`${topic}/${name.slice(0, -5)}`] : [],
    ),
  );
}

/** The cases of a topic, optionally only those whose file name starts with `prefix`. Refuses to find none. */
export function goldenCases(topic: string, prefix = ''): [string, Golden][] {
  const names = readdirSync(path.join(FOLDER, topic)).filter(
    (name) => name.startsWith(prefix) && name.endsWith('.json'),
  );
  if (names.length === 0) throw new Error(`no golden case ${topic}/${prefix}*`);
  return names.sort().map((name) => [name.replace('.json', ''), goldenCase(topic, name.replace('.json', ''))]);
}

/** One case by name. */
export function goldenCase(topic: string, name: string): Golden {
  return JSON.parse(readFileSync(path.join(FOLDER, topic, `${name}.json`), 'utf8')) as Golden;
}

/** A number as golden files write it. */
export function num(value: unknown): number {
  if (value === null || value === 'NaN') return Number.NaN;
  if (value === 'Infinity') return Infinity;
  if (value === '-Infinity') return -Infinity;
  if (typeof value !== 'number') throw new Error(`not a number: ${JSON.stringify(value)}`);
  return value;
}

/** Numbers of an input. */
export function nums(value: unknown): number[] {
  return (value as unknown[]).map(num);
}

/** Rows of numbers of an input. */
export function rows(value: unknown): number[][] {
  return (value as unknown[]).map(nums);
}

/**
 * Compares `got` with the expected values. Every expected key must be either in `got` or named in `elsewhere` (checked
 * by the test itself), so that nothing expected goes unchecked by accident; a key that says only a rule in words must
 * be in `elsewhere`.
 */
export function expectGolden(golden: Golden, got: Record<string, unknown>, elsewhere: readonly string[] = []): void {
  const problems: string[] = [];
  let compared = 0;
  const fail = (where: string, want: unknown, value: unknown) => {
    problems.push(`${golden.name} ${where}: expected ${JSON.stringify(want)}, got ${String(value)}`);
  };
  const compare = (want: unknown, value: unknown, where: string, rule: Rule): void => {
    if (Array.isArray(want)) {
      const list = value as ArrayLike<unknown> | undefined;
      if (list?.length !== want.length) return fail(`${where}.length`, want.length, list?.length);
      want.forEach((item, i) => compare(item, list[i], `${where}[${i}]`, rule));
    } else if (want !== null && typeof want === 'object') {
      compareKeys(want as Record<string, unknown>, value as Record<string, unknown>, where, rule, []);
    } else {
      compared += 1;
      if (!near(want, value, rule)) fail(where, want, value);
    }
  };
  const compareKeys = (
    want: Record<string, unknown>,
    value: Record<string, unknown> | undefined,
    where: string,
    outer: Rule,
    skipped: readonly string[],
  ): void => {
    for (const [key, item] of Object.entries(want)) {
      const place = `${where}.${key}`;
      if (skipped.includes(key) || elsewhere.includes(place.slice(1))) continue;
      const rule = golden.tolerance[key] ?? outer;
      if (rule.kind !== undefined && rule.abs === undefined) {
        if (value !== undefined && key in value) fail(place, `a check of its own: ${rule.kind}`, 'a comparison');
        else if (value === undefined || !(key in value)) fail(place, `a check of its own: ${rule.kind}`, 'nothing');
        continue;
      }
      if (value === undefined || !(key in value)) fail(place, item, 'no such key');
      else compare(item, value[key], place, rule);
    }
  };
  compareKeys(golden.expected, got, '', golden.tolerance['default'] ?? { abs: 0, rel: 0 }, elsewhere);
  expect(problems.slice(0, 5), `${problems.length} of ${compared} values differ`).toEqual([]);
  expect(compared, `${golden.name}: nothing was compared`).toBeGreaterThan(0);
}

function near(want: unknown, got: unknown, rule: Rule): boolean {
  if (want === null || typeof want === 'boolean') return got === want;
  if (typeof want === 'string' && !['NaN', 'Infinity', '-Infinity'].includes(want)) return got === want;
  if (typeof got !== 'number') return false;
  const number = num(want);
  if (Number.isNaN(number)) return Number.isNaN(got);
  if (!Number.isFinite(number)) return got === number;
  return Math.abs(got - number) <= (rule.abs ?? 0) + (rule.rel ?? 0) * Math.abs(number);
}

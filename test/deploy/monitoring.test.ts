import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { type Platform, startPlatform } from '../../services/all-in-one/platform.ts';

const root = join(import.meta.dirname, '../..');
const folder = join(root, 'deploy/monitoring');
const rules = (parse(readFileSync(join(folder, 'rules.yaml'), 'utf8')) as RuleFile).groups.flatMap(
  ({ rules }) => rules,
);
const dashboards = readdirSync(folder).filter((name) => name.endsWith('.json'));
const directory = mkdtempSync(join(tmpdir(), 'millrace-metrics-'));
let platform: Platform;
let exported: Set<string>;

interface RuleFile {
  readonly groups: readonly { readonly rules: readonly Record<'record' | 'alert' | 'expr', string>[] }[];
}

beforeAll(async () => {
  platform = await startPlatform({
    configuration: resolveConfiguration({ flags: { directory, 'http.port': '0', 'log.level': 'silent' } }),
  });
  await platform.ready();
  const text = await (await fetch(`${platform.url}/metrics`)).text();
  exported = new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = '']) => name));
}, 60_000);
afterAll(async () => {
  await platform.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Names of series in an expression that no process exports and no rule records. */
function unknown(expression: string): string[] {
  const named = expression.match(/(?:[a-z_]+:)?(?:millrace|seldon_api)[_:][\w:]+/g) ?? [];
  const recorded = new Set(rules.map(({ record }) => record));
  return named.filter(
    (name) => !recorded.has(name) && !exported.has(name.replace(/_(?:bucket|count|sum)$/, '')) && !exported.has(name),
  );
}

describe('what is drawn and alerted', () => {
  it.each(dashboards)('%s names only metrics that a platform exports', (file) => {
    const { panels } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as {
      panels: { targets?: { expr: string }[] }[];
    };
    const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    expect(expressions.length).toBeGreaterThan(8);
    expect(expressions.flatMap(unknown)).toEqual([]);
  });

  it('names only metrics that a platform exports, in rules too', () => {
    expect(rules.length).toBeGreaterThan(10);
    expect(rules.flatMap(({ expr }) => unknown(expr))).toEqual([]);
    expect(unknown('rate(millrace_no_such_thing_total[5m])')).toEqual(['millrace_no_such_thing_total']);
  });

  it('has a runbook and a tested history for each alert', () => {
    const runbooks = readFileSync(join(root, 'docs/runbooks.md'), 'utf8');
    const histories = readFileSync(join(folder, 'rules.test.yaml'), 'utf8');
    for (const { alert } of rules) {
      if (alert === undefined) continue;
      expect(runbooks).toContain(`\n## ${alert}\n`);
      expect(histories).toContain(`alertname: ${alert}`);
    }
  });
});

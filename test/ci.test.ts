import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('../.ci/run', import.meta.url));
const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** Stands for npm: ends a step as it is told, and leaves results where the real one would. */
const npm = `#!/usr/bin/env bash
step="$*"
if [ -n "\${MILLRACE_TEST_RESULTS:-}" ]; then
  failed=0
  [[ -n "\${FAILED_TEST_IN:-}" && "$step" == *"$FAILED_TEST_IN"* ]] && failed=1
  results="{\\"numPassedTests\\":3,\\"numFailedTests\\":$failed}"
  [[ -n "\${TORN_IN:-}" && "$step" == *"$TORN_IN"* ]] && results='{"numPas'
  [ -n "\${NO_TESTS:-}" ] || printf '%s' "$results" >"$MILLRACE_TEST_RESULTS"
fi
[[ -n "\${RED_STEP:-}" && "$step" == *"$RED_STEP"* ]] && exit 1
exit 0
`;

/** `.ci/run` in a project of its own. */
function run(environment: Readonly<Record<string, string>>): { readonly code: number | null; readonly last: string } {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-ci-'));
  folders.push(folder);
  for (const name of ['.ci', 'bin']) mkdirSync(join(folder, name));
  copyFileSync(script, join(folder, '.ci', 'run'));
  writeFileSync(join(folder, 'bin', 'npm'), npm);
  chmodSync(join(folder, 'bin', 'npm'), 0o755);
  // The runner itself may be told where to leave results: this run is not it.
  const PATH = [join(folder, 'bin'), process.env['PATH'] ?? ''].join(delimiter);
  const { status, stdout } = spawnSync('bash', [join(folder, '.ci', 'run')], {
    encoding: 'utf8',
    env: { ...process.env, ...environment, PATH, MILLRACE_TEST_RESULTS: '' },
  });
  return { code: status, last: stdout.trimEnd().split('\n').at(-1) ?? '' };
}

describe('.ci/run', () => {
  it('ends with the sum over all runs', () => {
    expect(run({})).toEqual({ code: 0, last: '9 passed, 0 failed' });
  });

  it.each([['ci'], ['test'], ['check'], ['test:long'], ['test:services']])('is red when %s is', (RED_STEP) => {
    const { code, last } = run({ RED_STEP });
    expect(code).toBe(1);
    expect(last).toMatch(/^9 passed, [1-9]\d* failed$/);
  });

  it('is red when a single test failed, whatever its run said', () => {
    expect(run({ FAILED_TEST_IN: 'test:long' })).toEqual({ code: 1, last: '9 passed, 1 failed' });
  });

  it('is red when results are torn', () => {
    expect(run({ TORN_IN: 'test:services' })).toEqual({ code: 1, last: '6 passed, 1 failed' });
  });

  it('is red when nothing ran', () => {
    expect(run({ NO_TESTS: '1' })).toEqual({ code: 1, last: '0 passed, 0 failed' });
  });
});

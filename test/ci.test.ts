import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';

const ci = fileURLToPath(new URL('../.ci', import.meta.url));
const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/**
 * Stands for npm: ends a step as it is told, and leaves results where the real one would. A run of some files only (a second run) is red
 * where RED_AGAIN says so.
 */
const npm = `#!/usr/bin/env bash
step="$*"
is() { [[ -n "$1" && "$step" == *"$1"* ]]; }
echo "npm $step"
again=; [[ "$step" == *' -- '* ]] && again=1
red=; if [ -n "$again" ]; then is "\${RED_AGAIN:-}" && red=1; else is "\${RED_TEST_IN:-}" && red=1; fi
if [ -n "\${MILLRACE_TEST_RESULTS:-}" ] && [ -z "\${NO_TESTS:-}" ]; then
  status=passed; failed=0; [ -n "$red" ] && status=failed && failed=1
  test="{\\"status\\":\\"$status\\",\\"fullName\\":\\"holds water\\",\\"failureMessages\\":[\\"it leaks\\"]}"
  file="{\\"name\\":\\"$PWD/test/bucket.test.ts\\",\\"status\\":\\"$status\\",\\"message\\":\\"\\",\\"assertionResults\\":[$test]}"
  results="{\\"numPassedTests\\":$((3 - failed)),\\"numFailedTests\\":$failed,\\"testResults\\":[$file]}"
  is "\${TORN_IN:-}" && results='{"numPas'
  printf '%s' "$results" >"$MILLRACE_TEST_RESULTS"
fi
[ -n "$red" ] && [ -z "\${SAYS_GREEN:-}" ] && exit 1
is "\${RED_STEP:-}" && exit 1
exit 0
`;

/** `.ci/run` in a project of its own. */
function run(environment: Readonly<Record<string, string>>): {
  readonly code: number | null;
  readonly last: string;
  readonly output: string;
} {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-ci-'));
  folders.push(folder);
  mkdirSync(join(folder, 'bin'));
  cpSync(ci, join(folder, '.ci'), { recursive: true });
  writeFileSync(join(folder, 'bin', 'npm'), npm);
  chmodSync(join(folder, 'bin', 'npm'), 0o755);
  // The runner itself may be told where to leave results: this run is not it.
  const PATH = [join(folder, 'bin'), process.env['PATH'] ?? ''].join(delimiter);
  const { status, stdout } = spawnSync('bash', [join(folder, '.ci', 'run')], {
    encoding: 'utf8',
    env: { ...process.env, ...environment, PATH, MILLRACE_TEST_RESULTS: '' },
  });
  return { code: status, last: stdout.trimEnd().split('\n').at(-1) ?? '', output: stdout };
}

describe('.ci/run', () => {
  it('ends with the sum over all runs', () => {
    expect(run({})).toMatchObject({ code: 0, last: '9 passed, 0 failed' });
  });

  it.each([['ci'], ['test'], ['check'], ['test:long'], ['test:services']])('is red when %s is', (RED_STEP) => {
    const { code, last } = run({ RED_STEP });
    expect(code).toBe(1);
    expect(last).toMatch(/^9 passed, [1-9]\d* failed$/);
  });

  it('is red when a test is red twice, and says which and why', () => {
    const { code, last, output } = run({ RED_TEST_IN: 'test:long', RED_AGAIN: 'test:long' });
    expect({ code, last }).toEqual({ code: 1, last: '8 passed, 1 failed' });
    expect(output).toMatch(/^RED .*test\/bucket.test.ts: holds water\n {2}it leaks$/m);
  });

  it('runs a red file again, and names what is green then as flaky', () => {
    const { code, last, output } = run({ RED_TEST_IN: 'test:services' });
    expect({ code, last }).toEqual({ code: 0, last: '9 passed, 0 failed' });
    expect(output).toMatch(/^npm run --silent test:services -- test\/bucket.test.ts$/m);
    expect(output).toMatch(/^FLAKY .*test\/bucket.test.ts: holds water\n {2}it leaks$/m);
  });

  it('is red when a single test failed, whatever its run said', () => {
    expect(run({ RED_TEST_IN: 'test:long', SAYS_GREEN: '1' })).toMatchObject({ code: 1, last: '8 passed, 1 failed' });
  });

  it('is red when results are torn', () => {
    expect(run({ TORN_IN: 'test:services' })).toMatchObject({ code: 1, last: '6 passed, 1 failed' });
  });

  it('is red when nothing ran', () => {
    expect(run({ NO_TESTS: '1' })).toMatchObject({ code: 1, last: '0 passed, 0 failed' });
  });
});

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { compiledFile } from '../compiled.ts';

const demo = compiledFile(new URL('../../examples/diamonds/demo.ts', import.meta.url));
const root = fileURLToPath(new URL('../../', import.meta.url));

/** The demo on fewer rows. */
function runDemo(...args: string[]) {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-demo-'));
  folders.push(directory);
  return spawnSync(process.execPath, [demo, '--keep', join(directory, 'data'), ...args], {
    cwd: root,
    encoding: 'utf8',
  });
}
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

describe('the demo', () => {
  it('keeps its promises and exits 0', { timeout: 200_000 }, () => {
    const { status, stdout, stderr } = runDemo('--rows', '3000');
    expect(status, stdout + stderr).toBe(0);
    expect(stdout).not.toContain('✘');
    expect(stdout).toContain('✔ one prediction is explained down to its trigger');
  });
});

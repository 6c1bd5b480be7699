import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { otherNode } from './other-node.ts';

const demo = fileURLToPath(new URL('../../examples/diamonds/demo.ts', import.meta.url));
const root = fileURLToPath(new URL('../../', import.meta.url));

describe('the demo on a newer Node', () => {
  it.for([22, 24])('keeps its promises on Node %i', { timeout: 300_000 }, (major, { skip }) => {
    let program: string;
    try {
      program = otherNode(major);
    } catch (error) {
      // Where CI runs it can be had.
      if (process.env['CI'] === 'true') throw error;
      return skip(`Node ${major} cannot be fetched: ${String(error)}`);
    }
    expect(execFileSync(program, ['--version'], { encoding: 'utf8' })).toMatch(new RegExp(`^v${major}\\.`));
    const directory = mkdtempSync(join(tmpdir(), 'millrace-demo-'));
    try {
      const args = ['--import', 'tsx', demo, '--keep', join(directory, 'data'), '--rows', '3000'];
      const { status, stdout, stderr } = spawnSync(program, args, { cwd: root, encoding: 'utf8' });
      expect(status, stdout + stderr).toBe(0);
      expect(stdout).not.toContain('✘');
      expect(stdout).toContain('✔ one prediction is explained down to its trigger');
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

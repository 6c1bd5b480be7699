import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Sabotage, sabotages } from '../../examples/diamonds/demo/sabotage.ts';
import { compiledFile } from '../compiled.ts';

const demo = compiledFile(new URL('../../examples/diamonds/demo.ts', import.meta.url));
const root = fileURLToPath(new URL('../../', import.meta.url));

const noticed: Record<Sabotage, string> = {
  'answer-dropped': 'every request has exactly one answer',
  'feedback-counted-twice': 'every feedback counts once',
  'drift-silenced': 'drift is alarmed after the shift',
  'outliers-hidden': 'outlying rows are flagged',
  'audit-forged': 'the audit trail is intact',
  'blob-flipped': 'one prediction is explained',
};

describe('a demo in which a promise is broken', () => {
  it.each(sabotages)('notices %s, names the promise and exits 1', { timeout: 200_000 }, (which) => {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-demo-'));
    try {
      const args = [demo, '--keep', join(directory, 'data'), '--rows', '3000', '--break', which];
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
      expect(status, stdout + stderr).toBe(1);
      expect(stdout).toContain(`✘ ${noticed[which]}`);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

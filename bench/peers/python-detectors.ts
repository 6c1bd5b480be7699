/** The same detectors by SciPy, scikit-learn and River, in a Python of their own (`MILLRACE_PYTHON`); none: no figures. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Figure } from '../figures.ts';

const run = promisify(execFile);

export async function pythonFigures(): Promise<readonly Figure[]> {
  const python = process.env['MILLRACE_PYTHON'];
  if (python === undefined) {
    console.log('  no Python to compare with: MILLRACE_PYTHON names one that has scipy, scikit-learn and river');
    return [];
  }
  const script = new URL('python_detectors.py', import.meta.url).pathname;
  const { stdout } = await run(python, [script], { maxBuffer: 1024 * 1024 });
  return JSON.parse(stdout) as readonly Figure[];
}

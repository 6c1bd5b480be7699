/** The same detectors by SciPy, scikit-learn and River, in a virtual environment of their own. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pythonEnvironment } from './python-environment.ts';

const run = promisify(execFile);
const packages = ['scipy==1.15.3', 'scikit-learn==1.6.1', 'river==0.22.0'];

/** Processor time. */
export interface PythonFigures {
  /** KS and chi-squared over ten features, rows a second. */
  readonly windows: number;
  /** Milliseconds. */
  readonly mmd: number;
  /** Rows scored a second. */
  readonly forest: number;
  /** Values a second. */
  readonly adwin: number;
}

export async function pythonFigures(): Promise<PythonFigures> {
  const environment = await pythonEnvironment('detectors', packages);
  const python = join(environment, 'bin', 'python');
  const { stdout } = await run(python, [join(import.meta.dirname, 'python_detectors.py')], { maxBuffer: 1024 * 1024 });
  return JSON.parse(stdout) as PythonFigures;
}

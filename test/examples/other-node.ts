import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * The program of another Node, from the package of this platform, fetched once and kept with the tools of the service lane
 * (MILLRACE_TOOLS, default ~/.cache/millrace). Throws with the reason when it cannot be had.
 */
export function otherNode(major: number): string {
  const tools = process.env['MILLRACE_TOOLS'] ?? join(homedir(), '.cache', 'millrace');
  const name = `node-${process.platform}-${process.arch}`;
  const folder = join(tools, 'node', `${major}-${process.platform}-${process.arch}`);
  const program = join(folder, 'node_modules', name, 'bin', 'node');
  if (existsSync(program)) return program;
  mkdirSync(join(tools, 'node'), { recursive: true });
  const fetched = mkdtempSync(join(tools, 'node', 'fetching-'));
  try {
    const options = ['--prefix', fetched, '--no-save', '--no-audit', '--no-fund', '--ignore-scripts'];
    execFileSync('npm', ['install', ...options, `${name}@${major}`], { cwd: fetched, stdio: 'pipe' });
    // Whole or not at all; whoever fetched it at the same time has the same.
    if (!existsSync(folder)) renameSync(fetched, folder);
  } finally {
    rmSync(fetched, { recursive: true, force: true });
  }
  return program;
}

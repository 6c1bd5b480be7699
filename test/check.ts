/**
 * Everything that is checked without running the program: `npm run check`. All checks run; the summary names those that failed.
 */
import { spawnSync } from 'node:child_process';

const checks: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['types', 'tsc', '--noEmit', '-p', 'tsconfig.json'],
  ['format', 'biome', 'format', '.'],
  ['lint', 'eslint', '--cache', '--cache-location', 'node_modules/.cache/eslint/', '.'],
  [
    'import law',
    'depcruise',
    '--config',
    '.dependency-cruiser.cjs',
    'schemas',
    'topologies',
    'statistics',
    'runtime',
    'services',
    'sdk',
    'cli',
    'examples',
  ],
  ['unused code', 'knip'],
  ['generated files', 'tsx', 'schemas/generate.ts', '--check'],
  ['generated docs', 'tsx', 'docs/generate.ts', '--check'],
  ['schema evolution', 'tsx', 'schemas/check-evolution.ts'],
];

const failed: string[] = [];
for (const [name, command, ...args] of checks) {
  const began = performance.now();
  const { status } = spawnSync('npx', ['--no-install', command, ...args], {
    stdio: 'inherit',
    env: { ...process.env, npm_config_loglevel: 'error' },
  });
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
  if (status !== 0) failed.push(name);
}
if (failed.length > 0) {
  console.error(`check failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}

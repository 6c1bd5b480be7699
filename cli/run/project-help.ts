import type { MlProject } from '../../runtime/adapters/bundler/mlproject.ts';
import { bold, cyan, dim, padEnd } from '../ui/style.ts';

/** What a project can run: each entry point with its command and parameters. */
export function projectHelp(path: string, { name, entryPoints }: MlProject): string {
  const entries = Object.entries(entryPoints).flatMap(([entry, { command, parameters }]) => [
    `  ${cyan(`-e ${entry}`)}`,
    `      ${dim(command)}`,
    ...parameters.map(({ name: parameter, type, default: value }) => {
      const left = `      ${cyan(`-P ${parameter}=`)}${dim(`<${type}>`)}`;
      return `${padEnd(left, 36)} ${dim(value === undefined ? 'required' : `default ${value}`)}`;
    }),
  ]);
  return [
    `${bold(name ?? 'project')} ${dim(`(${path})`)}`,
    '',
    entries.length === 0 ? dim('It names no entry points.') : 'Entry points; without -e it is main:',
    ...entries,
    '',
    dim('A script that ends in .py or .sh is an entry point, too. Options of the command itself: millrace run --help'),
  ].join('\n');
}

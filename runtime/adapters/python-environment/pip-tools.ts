import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildFailure } from './build-failure.ts';
import type { Interpreter, Tools } from './interpreter.ts';
import type { PythonSpec } from './requirements.ts';
import { runTool } from './run-tool.ts';

/** What resolves requirements to a lock, and installs a lock. */
export interface Installer {
  readonly name: string;
  /** The lines of the lock: each package with its exact version, and its hashes where all have one. */
  resolve(spec: PythonSpec, scratch: string, tools: Tools): Promise<readonly string[]>;
  /** Makes an environment at `target` that holds exactly the lock. */
  install(lock: string, target: string, scratch: string, tools: Tools): Promise<void>;
}

export function uvInstaller({ program }: Interpreter): Installer {
  return {
    name: 'uv',
    resolve: async (spec, scratch, tools) => {
      const input = await writeSpec(spec, scratch);
      const options = ['--quiet', '--no-header', '--no-annotate', '--generate-hashes', '--python', program];
      const command = ['uv', 'pip', 'compile', ...options, ...input];
      const result = await runTool({ command, cwd: scratch, ...tools });
      if (result.code !== 0) throw buildFailure('resolving the requirements by uv', result);
      return result.output.split('\n').filter((line) => line.trim() !== '');
    },
    install: async (lock, target, scratch, tools) => {
      await must('making the environment by uv', ['uv', 'venv', '--quiet', '--python', program, target], tools);
      const file = join(scratch, 'lock.txt');
      await writeFile(file, lock);
      const sync = ['uv', 'pip', 'sync', '--quiet', '--python', join(target, 'bin', 'python'), file];
      if (holdsPackages(lock)) await must('installing the requirements by uv', sync, tools);
    },
  };
}

export function pipInstaller({ program }: Interpreter): Installer {
  return {
    name: 'pip',
    resolve: async (spec, scratch, tools) => {
      const input = await writeSpec(spec, scratch);
      const resolver = join(scratch, 'resolver');
      await must('making a virtual environment', [program, '-m', 'venv', resolver], tools);
      const report = join(scratch, 'report.json');
      const options = ['--dry-run', '--ignore-installed', '--quiet', '--report', report];
      const command = [join(resolver, 'bin', 'python'), '-m', 'pip', 'install', ...quiet, ...options, '-r', ...input];
      const result = await runTool({ command, cwd: scratch, ...tools });
      if (result.code !== 0) throw buildFailure('resolving the requirements by pip', result);
      return lockOf(JSON.parse(await readFile(report, 'utf8')) as PipReport);
    },
    install: async (lock, target, scratch, tools) => {
      const packages = holdsPackages(lock);
      const venv = [program, '-m', 'venv', ...(packages ? [] : ['--without-pip']), target];
      await must('making a virtual environment', venv, tools);
      if (!packages) return;
      const file = join(scratch, 'lock.txt');
      await writeFile(file, lock);
      const python = join(target, 'bin', 'python');
      const command = [python, '-m', 'pip', 'install', ...quiet, '--quiet', '--no-deps', '-r', file];
      await must('installing the requirements by pip', command, tools);
    },
  };
}

const quiet = ['--disable-pip-version-check', '--no-input', '--progress-bar', 'off'];

interface PipReport {
  readonly install: readonly {
    readonly download_info: {
      readonly url: string;
      readonly archive_info?: { readonly hashes?: { readonly sha256?: string } };
    };
    readonly is_direct?: boolean;
    readonly metadata: { readonly name: string; readonly version: string };
  }[];
}

/** Hashes are given for all or for none, because pip then asks for them everywhere. */
function lockOf({ install }: PipReport): readonly string[] {
  const hashed = install.every(
    ({ download_info, is_direct }) => is_direct !== true && hashIn(download_info) !== undefined,
  );
  return install
    .map(({ metadata: { name, version }, download_info, is_direct }) => {
      if (is_direct === true) return `${name} @ ${download_info.url}`;
      return `${name.toLowerCase()}==${version}${hashed ? ` --hash=sha256:${hashIn(download_info)}` : ''}`;
    })
    .sort();
}

function hashIn({ archive_info }: PipReport['install'][number]['download_info']): string | undefined {
  return archive_info?.hashes?.sha256;
}

/** Files for the resolver, as arguments behind `-r`. */
async function writeSpec({ requirements, constraints }: PythonSpec, scratch: string): Promise<readonly string[]> {
  const file = join(scratch, 'requirements.in');
  await writeFile(file, `${requirements.join('\n')}\n`);
  if (constraints.length === 0) return [file];
  const limits = join(scratch, 'constraints.txt');
  await writeFile(limits, `${constraints.join('\n')}\n`);
  return [file, '-c', limits];
}

function holdsPackages(lock: string): boolean {
  return lock.split('\n').some((line) => line.trim() !== '' && !line.startsWith('#'));
}

async function must(what: string, command: readonly string[], tools: Tools): Promise<void> {
  const result = await runTool({ command, ...tools });
  if (result.code !== 0) throw buildFailure(what, result);
}

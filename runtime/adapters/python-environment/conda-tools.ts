import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildFailure } from './build-failure.ts';
import { hasProgram, type Tools } from './interpreter.ts';
import { runTool } from './run-tool.ts';

/** The program for conda files, where the worker has one. */
export async function condaProgram(tools: Tools): Promise<string | undefined> {
  for (const program of ['micromamba', 'mamba', 'conda']) if (await hasProgram(program, tools)) return program;
  return undefined;
}

/** Builds what a conda file asks for at `target`; answers what exactly that is. */
export async function createCondaEnvironment(
  program: string,
  file: string,
  target: string,
  scratch: string,
  tools: Tools,
): Promise<string> {
  const path = join(scratch, 'environment.yaml');
  await writeFile(path, file);
  const create =
    program === 'micromamba'
      ? [program, 'create', '--yes', '--prefix', target, '--file', path]
      : [program, 'env', 'create', '--prefix', target, '--file', path];
  const created = await runTool({ command: create, cwd: scratch, ...tools });
  if (created.code !== 0) throw buildFailure(`building the environment by ${program}`, created);
  const list =
    program === 'micromamba'
      ? [program, 'env', 'export', '--explicit', '--prefix', target]
      : [program, 'list', '--explicit', '--prefix', target];
  const explicit = await runTool({ command: list, cwd: scratch, ...tools });
  if (explicit.code !== 0) throw buildFailure(`listing the environment by ${program}`, explicit);
  const python = join(target, 'bin', 'python');
  const pip = await runTool({ command: [python, '-m', 'pip', 'freeze'], cwd: scratch, ...tools });
  const more = pip.code === 0 ? `# pip\n${pip.output.trim()}\n` : '';
  return `# conda ${process.platform} ${process.arch}\n${explicit.output.trim()}\n${more}`;
}

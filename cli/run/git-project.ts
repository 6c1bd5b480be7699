/** Projects in a git repository elsewhere, named as for `mlflow run`: `https://host/repository.git#folder`. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve, sep } from 'node:path';
import { promisify } from 'node:util';
import { MillraceError, messageOf } from '../../runtime/ports/errors.ts';

export interface GitProject {
  readonly folder: string;
  remove(): Promise<void>;
}

/** `https:`, `ssh:`, `git:` and `file:` addresses, and `user@host:path`. */
export function isGitAddress(text: string): boolean {
  return /^(https?|ssh|git|file):\/\//.test(text) || /^[\w.-]+@[\w.-]+:/.test(text);
}

const cloneMs = 300_000;

/** @param revision commit, branch or tag. @default the branch that the repository shows */
export async function fetchProject(address: string, revision: string | undefined): Promise<GitProject> {
  const [url = '', within = ''] = address.split('#', 2);
  if (revision?.startsWith('-') === true)
    throw new MillraceError('INVALID_ARGUMENT', `--revision ${revision}: name a commit, branch or tag`);
  const top = await mkdtemp(join(tmpdir(), 'millrace-project-'));
  const remove = async (): Promise<void> => await rm(top, { recursive: true, force: true });
  try {
    await git(top, 'clone', '--quiet', ...(revision === undefined ? ['--depth', '1'] : []), '--', url, top);
    if (revision !== undefined) await git(top, 'checkout', '--quiet', revision, '--');
    const folder = resolve(top, within);
    if (folder !== top && !folder.startsWith(top + sep))
      throw new MillraceError('INVALID_ARGUMENT', `'#${within}' leads out of the repository`);
    return { folder, remove };
  } catch (error) {
    await remove();
    if (error instanceof MillraceError) throw error;
    const said = (error as { readonly stderr?: string }).stderr?.trim() ?? messageOf(error);
    throw new MillraceError('NOT_FOUND', `${shown(url)} cannot be fetched by git: ${shown(said)}`, { cause: error });
  }
}

/** Asks nobody for a password, and speaks no protocol that runs programs. */
async function git(directory: string, ...words: readonly string[]): Promise<void> {
  const env = { ...process.env, GIT_TERMINAL_PROMPT: '0', GIT_ALLOW_PROTOCOL: 'https:http:ssh:git:file' };
  await promisify(execFile)('git', words, { cwd: directory, env, timeout: cloneMs });
}

function shown(text: string): string {
  return text.replaceAll(/\/\/[^@/\s]*@/g, '//');
}

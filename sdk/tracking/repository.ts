/** The state of the git repository in which a folder lies. */
import { execFileSync } from 'node:child_process';

export interface Repository {
  readonly commit: string;
  /** Undefined: none is checked out. */
  readonly branch: string | undefined;
  /** Its origin, without name and password. */
  readonly address: string | undefined;
  /** Its folder. */
  readonly root: string;
  /** Files that git knows were changed since. */
  readonly dirty: boolean;
}

const outputBytesMax = 16 * 1024 * 1024;

/** Undefined: it lies in none, none was committed to, or there is no git. */
export function repositoryOf(directory: string): Repository | undefined {
  const said = git(directory, 'rev-parse', 'HEAD', '--abbrev-ref', 'HEAD', '--show-toplevel');
  const [commit = '', branch = '', root = ''] = said?.split('\n') ?? [];
  if (commit === '') return undefined;
  const address = git(directory, 'config', '--get', 'remote.origin.url');
  return {
    commit,
    branch: branch === 'HEAD' ? undefined : branch,
    address: address?.replace(/\/\/[^@/]*@/, '//'),
    root,
    dirty: git(directory, 'status', '--porcelain', '--untracked-files=no') !== undefined,
  };
}

/** Changes that are not committed, as `git diff` says them; undefined: none. */
export function patchOf(directory: string): string | undefined {
  return git(directory, 'diff', 'HEAD', '--binary');
}

/** Undefined when git says nothing, or there is none. */
function git(directory: string, ...command: readonly string[]): string | undefined {
  try {
    const said = execFileSync('git', command, {
      cwd: directory,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      maxBuffer: outputBytesMax,
      timeout: 10_000,
    });
    const text = command[0] === 'diff' ? said : said.trim();
    return text === '' ? undefined : text;
  } catch {
    return undefined;
  }
}

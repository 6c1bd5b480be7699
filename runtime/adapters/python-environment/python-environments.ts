/**
 * Python environments by what exactly they hold. Requirements are resolved to a lock once per folder, Python and platform; an environment
 * is built once per lock, in a folder of its own, and becomes known by one atomic write when it is whole: a builder that dies leaves
 * nothing that anybody uses. Builders of one lock wait for each other, in this process and across processes.
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { hasCode, MillraceError } from '../../ports/errors.ts';
import type { PythonRequest } from '../../ports/flow-code.ts';
import { lockDirectory } from '../directory-lock.ts';
import { condaProgram, createCondaEnvironment } from './conda-tools.ts';
import { findInterpreter, hasProgram, type Interpreter, interpreterByUv, type Tools } from './interpreter.ts';
import { type Installer, pipInstaller, uvInstaller } from './pip-tools.ts';
import { type PythonSpec, readSpec } from './requirements.ts';
import { SharedBuilds } from './shared-builds.ts';

export interface PythonEnvironment {
  /** To be added to the environment of a program; PATH goes before the one that is there. */
  readonly variables: Readonly<Record<string, string>>;
  /** What it holds: Python, platform and each package with its exact version. */
  readonly lock: string;
}

export interface PythonEnvironmentsOptions {
  readonly directory: string;
  /** For the programs that build. */
  readonly environment: Readonly<Record<string, string>>;
}

export interface PrepareOptions {
  /** Folder of the bundle's files. */
  readonly files: string;
  /** Gives up waiting; the build goes on while others wait for it. */
  readonly signal: AbortSignal;
  /** A line for the log of the step. */
  readonly log: (line: string) => void;
}

const buildMsMax = 30 * 60_000;
const lockPollMs = 100;

export class PythonEnvironments {
  readonly #directory: string;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #builds = new SharedBuilds<PythonEnvironment>();

  constructor({ directory, environment }: PythonEnvironmentsOptions) {
    this.#directory = resolve(directory);
    this.#environment = environment;
  }

  /**
   * Finds or builds the environment. USER_CODE_FAILED, INVALID_ARGUMENT and UNSUPPORTED are for whoever wrote the requirements;
   * UNAVAILABLE, DISK_FULL and TIMEOUT are the platform's.
   */
  async prepare(request: PythonRequest, { files, signal, log }: PrepareOptions): Promise<PythonEnvironment> {
    const spec = readSpec(request, files);
    const key = digest(JSON.stringify(spec));
    return await this.#builds.share(key, signal, async (stop) => {
      const tools: Tools = {
        environment: this.#environment,
        signal: AbortSignal.any([stop, AbortSignal.timeout(buildMsMax)]),
      };
      try {
        return await this.#find(spec, tools, log);
      } catch (error) {
        if (!stop.aborted && tools.signal.aborted)
          throw new MillraceError(
            'TIMEOUT',
            `the Python environment was not built within ${buildMsMax / 60_000} minutes`,
            { cause: error },
          );
        throw error;
      }
    });
  }

  async #find(spec: PythonSpec, tools: Tools, log: (line: string) => void): Promise<PythonEnvironment> {
    const conda = spec.conda === undefined ? undefined : await condaProgram(tools);
    if (conda !== undefined) return await this.#byConda(conda, spec.conda ?? '', tools, log);
    if (spec.condaOnly.length > 0)
      throw new MillraceError(
        'UNSUPPORTED',
        `pip cannot install ${spec.condaOnly.map((name) => `'${name}'`).join(', ')}, and this worker has no conda: install micromamba, or leave them out`,
      );
    const withUv = await hasProgram('uv', tools);
    const interpreter = await interpreterOf(spec.version, withUv, tools);
    if (spec.version !== undefined && !`${interpreter.version}.`.startsWith(`${spec.version}.`))
      log(`millrace: Python ${spec.version} was asked for, ${interpreter.version} is used`);
    const installer = withUv ? uvInstaller(interpreter) : pipInstaller(interpreter);
    const lock = await this.#lock(spec, interpreter, installer, tools, log);
    return await this.#once(`python-${digest(lock)}`, tools, async (target, scratch) => {
      const packages = lock.split('\n').filter((line) => /^[a-z0-9]/i.test(line)).length;
      log(
        `millrace: building a Python ${interpreter.version} environment of ${packages} packages by ${installer.name}`,
      );
      await installer.install(lock, target, scratch, tools);
      return lock;
    });
  }

  /** The lock of these requirements: resolved once, then the same again. */
  async #lock(
    spec: PythonSpec,
    { version }: Interpreter,
    installer: Installer,
    tools: Tools,
    log: (line: string) => void,
  ): Promise<string> {
    const platform = `python ${version} ${process.platform} ${process.arch}`;
    const path = join(this.#directory, 'locks', `${digest(JSON.stringify([spec, platform]))}.txt`);
    const known = await readFile(path, 'utf8').catch(() => undefined);
    if (known !== undefined) return known;
    return await this.#alone(path, tools, async (scratch) => {
      const meanwhile = await readFile(path, 'utf8').catch(() => undefined);
      if (meanwhile !== undefined) return meanwhile;
      if (spec.requirements.length > 0)
        log(`millrace: resolving ${spec.requirements.length} requirements by ${installer.name}`);
      const lines = spec.requirements.length === 0 ? [] : await installer.resolve(spec, scratch, tools);
      const lock = `# ${platform}\n${lines.map((line) => `${line}\n`).join('')}`;
      await writeWhole(path, lock);
      return lock;
    });
  }

  async #byConda(program: string, file: string, tools: Tools, log: (line: string) => void): Promise<PythonEnvironment> {
    const key = `conda-${digest(JSON.stringify([file, process.platform, process.arch]))}`;
    return await this.#once(key, tools, async (target, scratch) => {
      log(`millrace: building a conda environment by ${program}`);
      return await createCondaEnvironment(program, file, target, scratch, tools);
    });
  }

  /** What `build` leaves at `target`, built at most once; `build` answers its lock. */
  async #once(
    name: string,
    tools: Tools,
    build: (target: string, scratch: string) => Promise<string>,
  ): Promise<PythonEnvironment> {
    const known = await this.#ready(name);
    if (known !== undefined) return known;
    return await this.#alone(name, tools, async (scratch) => {
      const meanwhile = await this.#ready(name);
      if (meanwhile !== undefined) return meanwhile;
      const built = join(this.#directory, 'built');
      await mkdir(built, { recursive: true });
      // what builders that died have left
      for (const other of await readdir(built)) {
        if (other.startsWith(`${name}.`)) await rm(join(built, other), { recursive: true, force: true, maxRetries: 3 });
      }
      const target = join(built, `${name}.${randomBytes(4).toString('hex')}`);
      try {
        const lock = await build(target, scratch);
        await writeWhole(this.#readyPath(name), JSON.stringify({ path: target, lock }));
        return environmentAt(target, lock);
      } catch (error) {
        await rm(target, { recursive: true, force: true, maxRetries: 3 });
        throw error;
      }
    });
  }

  async #ready(name: string): Promise<PythonEnvironment | undefined> {
    const text = await readFile(this.#readyPath(name), 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    const { path, lock } = JSON.parse(text) as { path: string; lock: string };
    return existsSync(join(path, 'bin')) ? environmentAt(path, lock) : undefined;
  }

  #readyPath(name: string): string {
    return join(this.#directory, 'ready', `${name}.json`);
  }

  /** Runs `work` while no other process does any for that name, with a folder that is removed after. */
  async #alone<T>(name: string, { signal }: Tools, work: (scratch: string) => Promise<T>): Promise<T> {
    const guard = join(this.#directory, 'guards', digest(name));
    for (;;) {
      signal.throwIfAborted();
      const lock = await lockDirectory(guard, { formatVersion: 1 }).catch((error: unknown) => {
        if (hasCode(error, 'LOCKED')) return undefined;
        throw error;
      });
      if (lock === undefined) {
        await new Promise<void>((resolve) => setTimeout(resolve, lockPollMs));
        continue;
      }
      const scratch = await mkdtemp(join(guard, 'scratch-'));
      try {
        return await work(scratch);
      } finally {
        await rm(scratch, { recursive: true, force: true, maxRetries: 3 });
        lock.release();
      }
    }
  }
}

function environmentAt(path: string, lock: string): PythonEnvironment {
  const conda = lock.startsWith('# conda');
  return {
    variables: { PATH: join(path, 'bin'), ...(conda ? { CONDA_PREFIX: path } : { VIRTUAL_ENV: path }) },
    lock,
  };
}

async function interpreterOf(version: string | undefined, withUv: boolean, tools: Tools): Promise<Interpreter> {
  try {
    return await findInterpreter(version, tools);
  } catch (error) {
    if (!withUv || version === undefined) throw error;
    return await interpreterByUv(version, tools);
  }
}

async function writeWhole(path: string, text: string): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true });
  const part = `${path}.${randomBytes(6).toString('hex')}`;
  await writeFile(part, text);
  await rename(part, path);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

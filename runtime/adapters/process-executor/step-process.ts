import { type ChildProcess, fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { delimiter } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type ChildModule, moduleForChild } from '../child-module.ts';
import type { FromChild, ToChild } from './protocol.ts';
import { packageFolders } from './step-files.ts';

export interface StepProcessOptions {
  /** Heap limit and limit of the whole process, MiB. */
  readonly memoryMb: number;
  readonly environment: Readonly<Record<string, string>>;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Listener {
  message(message: FromChild): void;
  output(stream: 'out' | 'err', chunk: string): void;
  /** Behind its last words. */
  ended(ended: Ended): void;
}

/** One child process: started, ready, used for one step after the other, ended with everything that it started. */
export class StepProcess {
  /** Resolves once it can be used, or has ended. */
  readonly ready: Promise<void>;
  /** For what happens once in its life: whoever waits here for each step leaves a reaction behind, and a child lives for thousands. */
  readonly ended: Promise<Ended>;
  /** Bundles that it has been told to load. */
  readonly loaded = new Set<string>();
  #listener: Listener | undefined;
  #end: Ended | undefined;
  readonly #child: ChildProcess;
  #alive = true;

  constructor({ memoryMb, environment }: StepProcessOptions) {
    const entry = moduleForChild('runtime/adapters/process-executor/step-child');
    this.#child = fork(fileURLToPath(entry.url), [String(memoryMb)], {
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // a group of its own, so that what user code starts can be ended too
      detached: true,
      // said in full: a debugger or loader of this process is not inherited
      execArgv: [...loaderArguments(entry), `--max-old-space-size=${memoryMb}`],
      env: { ...environment, NODE_PATH: packageFolders().join(delimiter) },
    });
    const child = this.#child;
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => this.#listener?.output('out', chunk));
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => this.#listener?.output('err', chunk));
    let becameReady: () => void = () => undefined;
    this.ready = new Promise((resolve) => {
      becameReady = resolve;
    });
    child.on('message', (message) => {
      const said = message as FromChild;
      if (said.type === 'ready') becameReady();
      else this.#listener?.message(said);
    });
    // what a step started must not outlive its process, however that ended
    child.once('exit', () => this.#killGroup());
    this.ended = new Promise((resolve) => {
      // 'close' comes after the streams have ended, so last words are in the log
      const finish = (ended: Ended): void => {
        this.#finish(ended);
        becameReady();
        resolve(ended);
      };
      child.on('close', (code, signal) => finish({ code, signal }));
      child.on('error', () => {
        if (child.pid === undefined) finish({ code: null, signal: null });
      });
    });
    child.channel?.unref();
    child.unref();
    for (const stream of [child.stdout, child.stderr]) (stream as unknown as { unref?: () => void } | null)?.unref?.();
  }

  get alive(): boolean {
    return this.#alive;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Hears what it says from now on, instead of whoever heard it before; of one that has ended, its end. */
  listen(listener: Listener | undefined): void {
    this.#listener = listener;
    if (this.#end !== undefined) listener?.ended(this.#end);
  }

  send(message: ToChild): void {
    if (!this.#child.connected) return;
    this.#child.send(message, () => undefined);
  }

  /** While it works, the parent stays alive for it; an idle child keeps nothing running. */
  hold(): void {
    this.#child.ref();
    this.#child.channel?.ref();
  }

  release(): void {
    this.#child.channel?.unref();
    this.#child.unref();
  }

  /** Ends the process and all that it started. */
  kill(): void {
    if (!this.#alive || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    if (!this.#killGroup()) this.#child.kill('SIGKILL');
  }

  #killGroup(): boolean {
    const { pid } = this.#child;
    if (pid === undefined) return false;
    try {
      return process.kill(-pid, 'SIGKILL');
    } catch {
      return false;
    }
  }

  #finish(ended: Ended): void {
    this.#alive = false;
    this.#end = ended;
    this.#listener?.ended(ended);
  }
}

function loaderArguments({ typescript }: ChildModule): readonly string[] {
  if (!typescript) return [];
  return ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href];
}

import { type ChildProcess, spawn } from 'node:child_process';
import { hostname } from 'node:os';
import { compiledFile } from '../../../compiled.ts';
import { childrenOf, isAlive } from '../../children.ts';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** `millrace serve`, to be killed, frozen and woken, or stopped as it should be. */
export class Instance {
  /** Of its step worker. */
  readonly worker: string;
  /** Resolves with its address once it has caught up; rejects when it ends before, or takes too long. */
  readonly up: Promise<string>;
  readonly ended: Promise<Ended>;
  readonly #process: ChildProcess;
  readonly #children = new Set<number>();
  #output = '';

  /** @param roles none: all */
  constructor(directory: string, environment: Readonly<Record<string, string>>, roles: readonly string[] = []) {
    this.worker = `${hostname()}:${directory}`;
    const main = compiledFile(new URL('../../../../cli/main.ts', import.meta.url));
    const process_ = spawn(process.execPath, [main, 'serve', ...roles], {
      env: { ...process.env, ...environment, MILLRACE_DIRECTORY: directory, MILLRACE_HTTP_PORT: '0' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = process_;
    const watch = setInterval(() => childrenOf(this.pid).forEach((pid) => this.#children.add(pid)), 50);
    this.ended = new Promise((resolve) =>
      process_.once('close', (code, signal) => {
        clearInterval(watch);
        resolve({ code, signal });
      }),
    );
    this.up = new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`not up in 240 s:\n${this.output}`)), 240_000);
      const hear = (chunk: Buffer): void => {
        this.#output = (this.#output + chunk.toString()).slice(-8_000);
        const url = /^serving .* at (\S+)$/m.exec(this.#output)?.[1];
        if (url === undefined) return;
        clearTimeout(late);
        resolve(url);
      };
      process_.stdout.on('data', hear);
      process_.stderr.on('data', hear);
      process_.once('close', (code, signal) => {
        clearTimeout(late);
        reject(new Error(`ended with ${code ?? signal} before it was up:\n${this.output}`));
      });
    });
    this.up.catch(() => undefined);
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** The end of what it printed. */
  get output(): string {
    return this.#output;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Children that are alive five seconds after it has ended. */
  async orphans(): Promise<readonly number[]> {
    await this.ended;
    const end = Date.now() + 5_000;
    const alive = (): number[] => [...this.#children].filter(isAlive);
    while (alive().length > 0 && Date.now() < end) await new Promise<void>((resolve) => setTimeout(resolve, 20));
    return alive();
  }
}

import { StepProcess, type StepProcessOptions } from './step-process.ts';

export interface ProcessPoolOptions {
  /** Most children that work at once. */
  readonly slots: number;
  readonly process: StepProcessOptions;
}

/** A child that has loaded so many bundles is replaced: modules cannot be unloaded. */
const bundlesMax = 20;

/** A step that is over sooner leaves its own child for the next one, milliseconds. */
const spareAfterMs = 200;

/** Children: at most one per slot works, and one more is kept warm while steps take their time and a slot is free. */
export class ProcessPool {
  readonly #options: ProcessPoolOptions;
  readonly #idle: StepProcess[] = [];
  readonly #all = new Set<StepProcess>();
  readonly #waiting: (() => void)[] = [];
  #working = 0;
  /** The bundle that is likely to be asked for next. */
  #latest: string | undefined;
  #closed = false;

  constructor(options: ProcessPoolOptions) {
    this.#options = options;
    this.#warm();
  }

  /**
   * A ready child, one that knows the bundle if there is one. Waits while all slots are taken. With a memory limit of its own it is a
   * new one, and serves no other step.
   */
  async acquire(bundlePath: string, memoryMb?: number): Promise<StepProcess> {
    while (this.#working >= this.#options.slots) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#working += 1;
    if (memoryMb !== undefined) return await this.#own(memoryMb);
    const knowing = this.#idle.findIndex((child) => child.alive && child.loaded.has(bundlePath));
    const [found] = this.#idle.splice(Math.max(0, knowing), 1);
    const child = found?.alive === true ? found : this.#spawn();
    child.hold();
    child.loaded.add(bundlePath);
    this.#latest = bundlePath;
    setTimeout(() => this.#warm(), spareAfterMs).unref();
    await child.ready;
    return child;
  }

  /** Gives a child back; one that ended, is spoiled or is full of bundles is not used again. */
  release(child: StepProcess, usable: boolean): void {
    this.#working -= 1;
    child.listen(undefined);
    child.release();
    if (usable && child.alive && child.loaded.size < bundlesMax && !this.#closed) this.#idle.push(child);
    else child.kill();
    this.#waiting.shift()?.();
    this.#warm();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const children = [...this.#all];
    for (const child of children) {
      // so that this process does not end before its children have
      child.hold();
      child.kill();
    }
    await Promise.all(children.map(({ ended }) => ended));
  }

  async #own(memoryMb: number): Promise<StepProcess> {
    const child = this.#spawn({ ...this.#options.process, memoryMb });
    child.hold();
    await child.ready;
    return child;
  }

  #warm(): void {
    if (this.#closed || this.#idle.length > 0 || this.#working >= this.#options.slots) return;
    const spare = this.#spawn();
    this.#idle.push(spare);
    if (this.#latest === undefined) return;
    spare.loaded.add(this.#latest);
    spare.send({ type: 'load', bundlePath: this.#latest });
  }

  #spawn(options = this.#options.process): StepProcess {
    const child = new StepProcess(options);
    this.#all.add(child);
    void child.ended.then(() => {
      this.#all.delete(child);
      const at = this.#idle.indexOf(child);
      if (at >= 0) this.#idle.splice(at, 1);
    });
    return child;
  }
}

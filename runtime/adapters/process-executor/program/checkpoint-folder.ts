/**
 * Checkpoints of a program: a folder of files. It begins with what earlier attempts saved; a file that stays the same between two looks is
 * saved, again each time that it has changed. What is still being written is called `.…`, `….part` or `….tmp`.
 */
import { copyFileSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { messageOf } from '../../../ports/errors.ts';
import { isCheckpointName } from '../../../../schemas/codec/checkpoint-name.ts';
import type { StepCheckpoints } from '../../../ports/flow-code.ts';

const lookEveryMs = 500;

export class CheckpointFolder {
  readonly #directory: string;
  readonly #checkpoints: StepCheckpoints;
  /** Size and time of change, as they were seen last and as they were saved. */
  readonly #seen = new Map<string, string>();
  readonly #saved = new Map<string, string>();
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> | undefined;

  constructor(directory: string, checkpoints: StepCheckpoints) {
    this.#directory = directory;
    this.#checkpoints = checkpoints;
    mkdirSync(directory, { recursive: true });
    for (const name of checkpoints.names) this.#restore(name);
    this.#timer = setInterval(() => {
      this.#looking ??= this.#look(false).finally(() => {
        this.#looking = undefined;
      });
    }, lookEveryMs).unref();
  }

  /** The program has ended: what it left is saved, however new. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
    await this.#look(true);
  }

  #restore(name: string): void {
    const from = isCheckpointName(name) ? this.#checkpoints.file(name) : undefined;
    const path = join(this.#directory, name);
    if (from === undefined) return;
    mkdirSync(dirname(path), { recursive: true });
    copyFileSync(from, path);
    this.#saved.set(name, stateOf(path));
  }

  async #look(ended: boolean): Promise<void> {
    for (const entry of readdirSync(this.#directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const name = path.slice(this.#directory.length + 1);
      if (/(^|\/)\.|\.(part|tmp)$/.test(name)) continue;
      try {
        const state = stateOf(path);
        const quiet = ended || this.#seen.get(name) === state;
        this.#seen.set(name, state);
        if (!quiet || this.#saved.get(name) === state) continue;
        this.#saved.set(name, state);
        await this.#save(name, path);
      } catch (error) {
        // it is gone again: the next look finds the next one
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#complain(name, error);
      }
    }
  }

  async #save(name: string, path: string): Promise<void> {
    if (!isCheckpointName(name)) throw new Error('its name may have letters, digits, . _ - and / only');
    await this.#checkpoints.saveFile(name, path);
  }

  #complain(name: string, error: unknown): void {
    const why = messageOf(error);
    process.stderr.write(`millrace: checkpoint '${name}' was not saved: ${why}\n`);
  }
}

function stateOf(path: string): string {
  const { size, mtimeMs, ino } = statSync(path);
  return `${size}/${mtimeMs}/${ino}`;
}

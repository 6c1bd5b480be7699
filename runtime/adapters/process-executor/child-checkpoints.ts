/** Checkpoints of one step, seen from its process: what earlier attempts saved, and what this one hands to its parent. */
import { randomBytes } from 'node:crypto';
import { constants, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeArtifact, encodeArtifact } from '../../../schemas/codec/artifact-value.ts';
import type { StepCheckpoints } from '../../ports/flow-code.ts';
import type { EncodedArtifact } from './protocol.ts';

export class ChildCheckpoints implements StepCheckpoints {
  readonly #before: ReadonlyMap<string, EncodedArtifact>;
  readonly #directory: string;
  readonly #leave: (name: string, codec: string, bytes: Uint8Array) => EncodedArtifact;
  readonly #say: (id: number, artifact: EncodedArtifact) => void;
  readonly #waiting = new Map<number, { readonly resolve: () => void; readonly reject: (error: Error) => void }>();
  #ids = 0;

  /** `directory`: where files are left for the parent. */
  constructor(
    before: readonly EncodedArtifact[],
    directory: string,
    leave: (name: string, codec: string, bytes: Uint8Array) => EncodedArtifact,
    say: (id: number, artifact: EncodedArtifact) => void,
  ) {
    this.#before = new Map(before.map((checkpoint) => [checkpoint.name, checkpoint]));
    this.#directory = directory;
    this.#leave = leave;
    this.#say = say;
  }

  get names(): readonly string[] {
    return [...this.#before.keys()];
  }

  load(name: string): unknown {
    const found = this.#before.get(name);
    return found === undefined ? undefined : decodeArtifact(found.codec, bytesOf(found));
  }

  file(name: string): string | undefined {
    const found = this.#before.get(name);
    if (found === undefined || found.path !== undefined) return found?.path;
    const path = this.#fresh();
    writeFileSync(path, bytesOf(found));
    return path;
  }

  async save(name: string, value: unknown): Promise<void> {
    const { codec, bytes } = encodeArtifact(name, value);
    await this.#hand(this.#leave(name, codec, bytes));
  }

  async saveFile(name: string, path: string): Promise<void> {
    const left = this.#fresh();
    copyFileSync(path, left, constants.COPYFILE_FICLONE);
    await this.#hand({ name, codec: 'bytes', path: left });
  }

  /** The parent's answer: it is durable and said, or why not. */
  answered(id: number, problem: string | undefined): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (problem === undefined) waiting?.resolve();
    else waiting?.reject(new Error(problem));
  }

  async #hand(artifact: EncodedArtifact): Promise<void> {
    const id = ++this.#ids;
    const answer = new Promise<void>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#say(id, artifact);
    await answer;
  }

  #fresh(): string {
    return join(this.#directory, randomBytes(12).toString('hex'));
  }
}

function bytesOf({ bytes, path }: EncodedArtifact): Uint8Array {
  return bytes ?? readFileSync(path ?? '');
}

/**
 * References that are taken from the stream: the first rows, or an earlier window. Their bytes are blobs, so that a finding can name what
 * it was compared with; which blob it is lies in the values of the scorer's task, which reads the windows of a deployment in order.
 */
import type { ServiceTask } from '../../runtime/engine/service.ts';
import type { BlobStore } from '../../runtime/ports/blob-store.ts';
import type { Detector } from '../../schemas/detectors.ts';
import type { WindowClosed } from '../../schemas/events.ts';
import { referenceBytes } from './reference-sample.ts';

/** What was said so far in this batch, on top of what is committed. */
export class References {
  readonly #task: ServiceTask;
  readonly #blobs: BlobStore;
  readonly #changed = new Map<string, unknown>();

  constructor(task: ServiceTask, blobs: BlobStore) {
    this.#task = task;
    this.#blobs = blobs;
  }

  get changes(): readonly (readonly [key: string, value: unknown])[] {
    return [...this.#changed];
  }

  async get<V>(key: string): Promise<V | undefined> {
    return this.#changed.has(key) ? (this.#changed.get(key) as V) : await this.#task.get<V>(key);
  }

  put(key: string, value: unknown): void {
    this.#changed.set(key, value);
  }

  /** The blob that a detector compares a window with; a text says why there is none. */
  async find({ reference }: Detector, window: Of): Promise<{ readonly hash: string } | string> {
    if (reference === undefined) return 'the deployment names no reference sample';
    if (reference.kind === 'artifact') return { hash: reference.hash };
    if (reference.kind === 'first') {
      const hash = await this.get<string>(firstKey(window));
      return hash === undefined ? `the first ${reference.rows} rows are not complete yet` : { hash };
    }
    const earlier = (await this.get<readonly string[]>(earlierKey(window))) ?? [];
    const hash = earlier[earlier.length - reference.back];
    return hash === undefined
      ? `${earlier.length} of the ${reference.back} windows before it are there, and it is compared with the earliest of them`
      : { hash };
  }

  /** `window` is the reference of those that come after it. */
  async keepFirst(window: WindowClosed): Promise<string> {
    const { hash } = await this.#blobs.put(referenceBytes(window.columns, window.outputs));
    this.put(firstKey(window), hash);
    return hash;
  }

  /** After `window` was judged: the last `most` windows are kept. */
  async keepWindow(window: WindowClosed, most: number): Promise<void> {
    const { hash } = await this.#blobs.put(referenceBytes(window.columns, window.outputs));
    const earlier = (await this.get<readonly string[]>(earlierKey(window))) ?? [];
    this.put(earlierKey(window), [...earlier, hash].slice(-most));
  }
}

export type Of = Pick<WindowClosed, 'deployment' | 'deploymentVersion' | 'stream' | 'window'>;

const firstKey = ({ deployment, deploymentVersion, stream, window }: Of): string =>
  `first/${deployment}/${deploymentVersion}/${stream}/${window}`;
const earlierKey = ({ deployment, deploymentVersion, stream, window }: Of): string =>
  `earlier/${deployment}/${deploymentVersion}/${stream}/${window}`;

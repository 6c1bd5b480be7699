/**
 * Values over 256 KiB that records of held files name. They lie in the blob store beside the file, and stay there as long as a hold is on it:
 * also when their records have left the log.
 */
import { header } from '../../runtime/engine/envelope.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import { MillraceError, messageOf } from '../../runtime/ports/errors.ts';
import type { AuditSealed } from '../../schemas/events.ts';
import { holdOn } from '../../topologies/audit-holds.ts';
import { readSealFile } from './seal-file.ts';
import { fileOfSeal, readSeals } from './seals.ts';

export class HeldValues {
  readonly #runtime: Runtime;
  /** Files that were read. */
  readonly #read = new Set<string>();
  /** End of `audit-seals` when it was read. */
  #ends = '';

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** Hashes of values that are held, without those that it answered before. CONFLICT when a held file cannot be read. */
  async next(): Promise<readonly string[]> {
    const { log } = this.#runtime.parts;
    const ends = (await log.endOffsets(this.#runtime.topic('audit-seals'))).join();
    if (ends === this.#ends) return [];
    this.#ends = ends;
    const { sealed, redacted, expired, holds } = await readSeals(log, this.#runtime);
    const gone = new Set(expired.map(({ fileHash }) => fileHash));
    const values: string[] = [];
    for (const seal of sealed) {
      const hold = holdOn(seal, holds);
      const file = fileOfSeal(seal, redacted);
      if (hold === undefined || gone.has(file) || this.#read.has(file)) continue;
      values.push(...(await this.#valuesIn(file, seal, hold.name)));
      this.#read.add(file);
    }
    return values;
  }

  async #valuesIn(file: string, { topic, partition, sequence }: AuditSealed, hold: string): Promise<readonly string[]> {
    try {
      const { records } = readSealFile(await this.#runtime.parts.blobs.get(file));
      return records.flatMap((record) => {
        const claim = 'redacted' in record ? undefined : record.headers[header.claim];
        return claim === undefined ? [] : [Buffer.from(claim, 'base64').toString('utf8').split(':')[0] ?? ''];
      });
    } catch (cause) {
      const what = `seal ${sequence} of ${topic}/${partition}, which hold '${hold}' keeps, cannot be read`;
      throw new MillraceError(
        'CONFLICT',
        `${what}: ${messageOf(cause)}; \`millrace audit verify\` says what is wrong`,
        {
          cause,
        },
      );
    }
  }
}

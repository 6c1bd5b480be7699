/** What `audit-seals` says, as it stands: seals, failures, redactions and expiries in the order of each chain; retention and holds in force. */
import type { FollowedEvent, Runtime } from '../../runtime/engine/runtime.ts';
import type { Log } from '../../runtime/ports/log.ts';
import type { Seals } from '../../schemas/api/audit.ts';
import type {
  AuditExpired,
  AuditSealed,
  HoldPlaced,
  RecordRedacted,
  RetentionSet,
  SealFailed,
} from '../../schemas/events.ts';

/** What was said twice counts once; what cannot be read is left out, and is missed by the chain of seals. */
export async function readSeals(log: Log, runtime: Pick<Runtime, 'topic' | 'partitions' | 'decode'>): Promise<Seals> {
  const said = new Said();
  const seen = new Set<string>();
  const topic = runtime.topic('audit-seals');
  for (let partition = 0; partition < runtime.partitions('audit-seals'); partition++) {
    for await (const batch of log.read({ topic, partition }, { from: 0 })) {
      for (const record of batch) {
        const event = await runtime.decode('audit-seals', record).catch(() => undefined);
        if (event === undefined || seen.has(event.id)) continue;
        seen.add(event.id);
        said.take(event);
      }
    }
  }
  return said.seals();
}

class Said {
  readonly #sealed: AuditSealed[] = [];
  readonly #failed: SealFailed[] = [];
  readonly #redacted: RecordRedacted[] = [];
  readonly #expired: AuditExpired[] = [];
  readonly #retention = new Map<string, RetentionSet>();
  readonly #holds = new Map<string, HoldPlaced>();

  take({ type, data }: FollowedEvent<'audit-seals'>): void {
    if (type === 'audit-sealed') this.#sealed.push(data);
    else if (type === 'seal-failed') this.#failed.push(data);
    else if (type === 'record-redacted') this.#redacted.push(data);
    else if (type === 'audit-expired') this.#expired.push(data);
    else if (type === 'retention-set') this.#retention.set(data.topic, data);
    else if (type === 'hold-placed') this.#holds.set(data.name, data);
    else if (type === 'hold-released') this.#holds.delete(data.name);
  }

  seals(): Seals {
    return {
      sealed: this.#sealed,
      failed: this.#failed,
      redacted: this.#redacted,
      expired: this.#expired,
      retention: [...this.#retention.values()],
      holds: [...this.#holds.values()],
    };
  }
}

/** The file that a seal has now: that of its last redaction, else its own. */
export function fileOfSeal(seal: AuditSealed, redacted: readonly RecordRedacted[]): string {
  const { topic, partition, sequence, fileHash } = seal;
  const last = redacted.findLast(
    (one) => one.topic === topic && one.partition === partition && one.sequence === sequence,
  );
  return last?.fileHash ?? fileHash;
}

/** What `audit-seals` says, as it stands: seals, failures and redactions in the order of each chain. */
import type { FollowedEvent, Runtime } from '../../runtime/engine/runtime.ts';
import type { Log } from '../../runtime/ports/log.ts';
import type { Seals } from '../../schemas/api/audit.ts';
import type { AuditSealed, RecordRedacted, SealFailed } from '../../schemas/events.ts';

/** What was said twice counts once; what cannot be read is left out, and is missed by the chain of seals. */
export async function readSeals(log: Log, runtime: Pick<Runtime, 'topic' | 'partitions' | 'decode'>): Promise<Seals> {
  const seals = { sealed: [] as AuditSealed[], failed: [] as SealFailed[], redacted: [] as RecordRedacted[] };
  const seen = new Set<string>();
  const topic = runtime.topic('audit-seals');
  for (let partition = 0; partition < runtime.partitions('audit-seals'); partition++) {
    for await (const batch of log.read({ topic, partition }, { from: 0 })) {
      for (const record of batch) {
        const event = await runtime.decode('audit-seals', record).catch(() => undefined);
        if (event === undefined || seen.has(event.id)) continue;
        seen.add(event.id);
        take(event, seals);
      }
    }
  }
  return seals;
}

function take(
  { type, data }: FollowedEvent<'audit-seals'>,
  { sealed, failed, redacted }: { sealed: AuditSealed[]; failed: SealFailed[]; redacted: RecordRedacted[] },
): void {
  if (type === 'audit-sealed') sealed.push(data);
  else if (type === 'seal-failed') failed.push(data);
  else if (type === 'record-redacted') redacted.push(data);
}

/** The file that a seal has now: that of its last redaction, else its own. */
export function fileOfSeal(seal: AuditSealed, redacted: readonly RecordRedacted[]): string {
  const { topic, partition, sequence, fileHash } = seal;
  const last = redacted.findLast(
    (one) => one.topic === topic && one.partition === partition && one.sequence === sequence,
  );
  return last?.fileHash ?? fileHash;
}

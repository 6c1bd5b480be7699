/** Lets sealed files go that are past their retention. Their seals stay, and with them the chain. A hold wins over any age. */
import type { IdentifiedOutput } from '../../runtime/engine/service.ts';
import type { ExpiryDue } from '../../schemas/events.ts';
import { holdOn } from '../../topologies/audit-holds.ts';
import { type FileOfSeal, sealKey, type SealerValues } from './sealer-values.ts';

export async function expire(due: ExpiryDue, now: number, values: SealerValues): Promise<readonly IdentifiedOutput[]> {
  const { topic, partition, sequence, fromTimeMs, timeMs, keepDays } = due;
  const source = `${topic}/${partition}`;
  const key = sealKey(source, sequence);
  const file = await values.get<FileOfSeal>(key);
  if (file === undefined || file.fileHash === '') return [];
  const span = { topic, partition, sequence, fromTimeMs, timeMs };
  const hold = holdOn(due, await values.holds());
  // the hold came after the decision
  if (hold !== undefined)
    return [
      {
        ...{ topic: 'audit-seals', type: 'expiry-held', key: source, data: { ...span, hold: hold.name } },
        id: `held-${topic}-${partition}-${sequence}@${now}`,
      },
    ];
  const { fileHash } = file;
  values.put.set(key, { ...file, fileHash: '', expired: true } satisfies FileOfSeal);
  values.put.set(`forget/${fileHash}`, true);
  const id = `expired-${topic}-${partition}-${sequence}`;
  const object = `${source}@${file.fromOffset}..${file.toOffset}`;
  const detail = JSON.stringify({ sequence, keepDays, fileHash });
  return [
    {
      ...{ topic: 'audit-seals', type: 'audit-expired', key: source, id },
      data: { ...span, keepDays, fileHash, expiredMs: now },
    },
    {
      ...{ topic: 'operations', type: 'operation-recorded', key: object, id },
      data: { operationId: id, action: 'audit.expire', object, actor: '', outcome: 'done', detail },
    },
  ];
}

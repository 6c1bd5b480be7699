/** A link of the audit chain: computed again over the records that it covers. */
import type { Runtime } from '../../../runtime/engine/runtime.ts';
import { chainNext, recordDigest } from '../../../topologies/audit-chain.ts';
import { type Place, placeText } from './link.ts';
import type { Walk } from './walk.ts';

/** Records before the link whose largest time is where its own begins: time is a running maximum. */
const before = 100;

export async function addAuditEntry({ reader, links }: Walk, place: Place, runtime: Runtime): Promise<void> {
  const fact = await reader.fact('audit', place);
  const { topic, partition, fromOffset, toOffset, records, previous, digest } = fact.event.data;
  const source = { topic: runtime.topic(topic), partition };
  let chain = previous;
  let timeMs = 0;
  let found = 0;
  for await (const batch of runtime.parts.log.read(source, {
    from: Math.max(0, fromOffset - before),
    to: toOffset + 1,
  })) {
    for (const record of batch) {
      timeMs = Math.max(timeMs, record.timestampMs);
      if (record.offset < fromOffset) continue;
      const { offset, key, value, headers } = record;
      chain = chainNext(chain, recordDigest({ ...source, offset, timeMs, keyBytes: key, valueBytes: value, headers }));
      found += 1;
    }
  }
  const range = `${placeText({ topic, partition, offset: fromOffset })}–${toOffset}`;
  const problem =
    chain === digest ? undefined : `${range}: ${found} of ${records} records, which do not give the digest of the link`;
  const said = {
    kind: 'audit-entry',
    id: placeText(place),
    text: `covers ${records} record(s)`,
    check: 'chain computed again',
    problem,
  };
  const at = reader.add(links, fact, said, null);
  links.add({ kind: 'records', id: range, text: 'what the link covers', check: 'read back' }, at);
}

import type { Seals } from '../../sdk/client/index.ts';
import { dim, red } from '../ui/style.ts';
import { ago, table } from '../ui/table.ts';

/** Seals with what became of their files. */
export function drawSeals({ sealed, failed, redacted, expired }: Seals): string {
  if (sealed.length + failed.length === 0)
    return dim('nothing is sealed yet: a chain is sealed each 4,096 records, or an hour after its first');
  const gone = new Set(expired.map(({ topic, partition, sequence }) => `${topic}/${partition}/${sequence}`));
  return [
    table(sealed, [
      { title: 'CHAIN', value: ({ topic, partition }) => `${topic}/${partition}` },
      { title: 'SEAL', value: ({ sequence }) => sequence, align: 'right' },
      { title: 'OFFSETS', value: ({ fromOffset, toOffset }) => `${fromOffset}..${toOffset}` },
      { title: 'RECORDS', value: ({ records }) => records, align: 'right' },
      { title: 'UP TO', value: ({ timeMs }) => ago(timeMs) },
      { title: 'SIGNED BY', value: ({ keyId }) => (keyId === '' ? dim('nobody') : keyId) },
      {
        title: 'FILE',
        value: ({ topic, partition, sequence, fileHash }) =>
          gone.has(`${topic}/${partition}/${sequence}`) ? dim('expired') : fileHash.slice(0, 12),
      },
    ]),
    ...failed.map(({ topic, partition, sequence, reason }) =>
      red(`seal ${sequence} of ${topic}/${partition} could not be made: ${reason}`),
    ),
    ...redacted.map(({ topic, partition, offset, fields, actor, reason }) => {
      const what = fields.length === 0 ? 'all' : fields.join(', ');
      return `${topic}/${partition}@${offset}: ${what} redacted by ${actor}: ${reason}`;
    }),
  ].join('\n');
}

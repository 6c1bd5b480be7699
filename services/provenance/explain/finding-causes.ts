/** Alert → finding → the rows of its window, and the deployment with its models. */
import { messageOf } from '../../../runtime/ports/errors.ts';
import { placeText } from './link.ts';
import { addDeployment } from './model-causes.ts';
import type { Walk } from './walk.ts';

const topicOf = { drift: 'drift', outliers: 'outliers', experiment: 'rewards', alert: 'alerts' } as const;
export type FindingKind = keyof typeof topicOf;

export async function addFinding(walk: Walk, kind: FindingKind, id: string, under: number | null): Promise<number> {
  const { reader, database, links } = walk;
  const row = await database
    .selectFrom('findings')
    .selectAll()
    .where('kind', '=', kind)
    .where('id', '=', id)
    .executeTakeFirst();
  if (row === undefined) return links.missing(kind, id, under);
  const at = await reader.addFact(
    links,
    topicOf[kind],
    row,
    { kind, id, text: `${row.deployment}: ${row.summary}` },
    under,
  );
  if (row.evidence_id !== null) {
    await addFinding(walk, 'drift', row.evidence_id, at);
    return at;
  }
  if (kind === 'drift') await addWindow(walk, row, at);
  await addDeployment(walk, row.deployment, row.deployment_version, at, { models: true });
  return at;
}

/** Where the rows lie on which the verdict rests; both ends of each range must still be there. */
async function addWindow(
  { reader, links }: Walk,
  row: { partition: number; offset: number },
  under: number,
): Promise<void> {
  const { event } = await reader.fact('drift', row);
  if (event.type !== 'drift-assessed') return;
  const { sources, rows, windowId, referenceHash, stream } = event.data;
  const topic = stream === 'feedback' ? 'rewards' : 'predictions';
  for (const { partition, firstOffset, lastOffset } of sources) {
    const problems: string[] = [];
    for (const offset of new Set([firstOffset, lastOffset])) {
      await reader.fact(topic, { partition, offset }).catch((error: unknown) => problems.push(messageOf(error)));
    }
    const id = `${placeText({ topic, partition, offset: firstOffset })}–${lastOffset}`;
    const text = `rows of window ${windowId} (${rows} in all)`;
    const problem = problems.length === 0 ? {} : { problem: problems.join('; ') };
    links.add({ kind: 'window', id, text, check: 'both ends read back', ...problem }, under);
  }
  if (referenceHash !== '')
    await reader.addBlob(links, 'reference', referenceHash, 'what the window was compared with', under);
}

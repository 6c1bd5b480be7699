/** Alert → finding → the rows of its window, and the deployment with its models. */
import { addDeployment } from './model-causes.ts';
import type { Walk } from './walk.ts';
import { addWindow } from './window-causes.ts';

const topicOf = {
  drift: 'drift',
  outliers: 'outliers',
  experiment: 'rewards',
  quality: 'quality',
  alert: 'alerts',
} as const;
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
    const { kind: of } = (await database
      .selectFrom('findings')
      .select('kind')
      .where('id', '=', row.evidence_id)
      .executeTakeFirst()) ?? { kind: 'drift' };
    await addFinding(walk, of as FindingKind, row.evidence_id, at);
    return at;
  }
  if (kind === 'drift') await addWindow(walk, row, at);
  await addDeployment(walk, row.deployment, row.deployment_version, at, { models: true });
  return at;
}

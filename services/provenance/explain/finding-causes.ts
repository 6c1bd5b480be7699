/** Alert → finding → the rows of its window, and the deployment with its models. */
import { addDetector } from './detector-causes.ts';
import { addDeployment, documentOf } from './model-causes.ts';
import { addOutlierRows } from './outlier-causes.ts';
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
  if (kind === 'drift' || kind === 'outliers') await addEvidence(walk, kind, row, at);
  await addDeployment(walk, row.deployment, row.deployment_version, at, { models: true });
  return at;
}

/** What was found, by which detector, in which rows. Of a record that cannot be read its own link says so. */
async function addEvidence(
  walk: Walk,
  kind: 'drift' | 'outliers',
  place: { readonly partition: number; readonly offset: number },
  under: number,
): Promise<void> {
  const { event } = (await walk.reader.fact(kind, place).catch(() => undefined)) ?? {};
  if (event === undefined || (event.type !== 'drift-assessed' && event.type !== 'outliers-assessed')) return;
  const { data } = event;
  const document = await documentOf(walk, data.deployment, data.deploymentVersion).catch(() => undefined);
  if (event.type === 'outliers-assessed') await addOutlierRows(walk, event.data, under);
  await addDetector(walk, event, document, under);
  await addWindow(walk, data, under);
}

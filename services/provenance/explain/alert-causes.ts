/**
 * Alert → finding → the rows of its window, and the deployment that was watched. Not on to the models of that deployment: a run that an
 * alert started may have made a model whose alerts start the next one, and each of them is explained by its own id.
 */
import type { Walk } from './walk.ts';
import { addWindow } from './window-causes.ts';

/** An alert that started a run, by its alert id. */
export async function addAlertCause(walk: Walk, alertId: string, under: number): Promise<void> {
  const { reader, database, links } = walk;
  const alert = await database
    .selectFrom('findings')
    .selectAll()
    .where('alert_id', '=', alertId)
    .where('positive', '=', 1)
    .executeTakeFirst();
  if (alert === undefined) {
    links.missing('alert', alertId, under);
    return;
  }
  const { deployment, deployment_version: version } = alert;
  const text = `${deployment}: ${alert.summary}`;
  const at = await reader.addFact(links, 'alerts', alert, { kind: 'alert', id: alertId, text }, under);
  const finding = await database
    .selectFrom('findings')
    .selectAll()
    .where('id', '=', alert.evidence_id)
    .executeTakeFirst();
  if (finding === undefined) links.missing('finding', alert.evidence_id ?? '', at);
  else {
    const { kind, id, summary } = finding;
    const said = { kind, id, text: `${deployment}: ${summary}` };
    const of = await reader.addFact(links, kind === 'quality' ? 'quality' : 'drift', finding, said, at);
    if (kind === 'drift') await addDriftWindow(walk, finding, of);
  }
  const watched = await database
    .selectFrom('deployments')
    .selectAll()
    .where('deployment', '=', deployment)
    .where('version', '=', version)
    .executeTakeFirst();
  if (watched === undefined) return;
  const said = { kind: 'deployment', id: `${deployment} v${version}`, text: `deployed by ${watched.actor}` };
  await reader.addFact(links, 'deployment-events', watched, said, at);
}

async function addDriftWindow(
  walk: Walk,
  place: { readonly partition: number; readonly offset: number },
  under: number,
): Promise<void> {
  const { event } = (await walk.reader.fact('drift', place).catch(() => undefined)) ?? {};
  if (event?.type !== 'drift-assessed') return;
  await addWindow(walk, event.data, under);
  const { referenceHash } = event.data;
  if (referenceHash === '') return;
  await walk.reader.addBlob(walk.links, 'reference', referenceHash, 'what the window was compared with', under);
}

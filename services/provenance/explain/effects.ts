/** What came of something, newest first and bounded: of many the newest are read back, and how many more there are is said. */
import { addArtifact } from './artifact.ts';
import { addFeedbackOf } from './feedback.ts';
import type { Walk } from './walk.ts';

const shownMax = 10;

/** Feedback, rewards, outlier verdicts and explanations of a prediction. */
export async function addPredictionEffects(walk: Walk, id: string): Promise<void> {
  const { reader, database, links } = walk;
  await addFeedbackOf(walk, id);
  const outliers = await database.selectFrom('outlier_rows').selectAll().where('prediction_id', '=', id).execute();
  for (const { window_id, score } of outliers) {
    const finding = await database
      .selectFrom('findings')
      .selectAll()
      .where('kind', '=', 'outliers')
      .where('id', '=', window_id)
      .executeTakeFirst();
    if (finding === undefined) continue;
    const text = `an outlier with score ${score.toPrecision(4)} among ${finding.summary}`;
    await reader.addFact(links, 'outliers', finding, { kind: 'outliers', id: window_id, text }, null);
  }
  const attributions = await database
    .selectFrom('attributions')
    .selectAll()
    .where('prediction_id', '=', id)
    .orderBy('time_ms', 'desc')
    .limit(shownMax)
    .execute();
  for (const row of attributions) {
    const text = row.outcome === 'computed' ? `explained by ${row.method}` : `not explained (${row.outcome})`;
    await reader.addFact(links, 'attributions', row, { kind: 'attribution', id: row.id, text }, null);
  }
}

/** Artifacts and model versions of a run. */
export async function addRunEffects(walk: Walk, runId: string): Promise<void> {
  const { database } = walk;
  const versions = await database
    .selectFrom('versions')
    .selectAll()
    .where('run_id', '=', runId)
    .orderBy('model')
    .orderBy('version')
    .execute();
  for (const { model, version } of versions.slice(0, shownMax)) await addVersionUse(walk, model, version);
  rest(walk, 'model-version', versions.length);
  const artifacts = await database
    .selectFrom('artifacts')
    .selectAll()
    .where('run_id', '=', runId)
    .orderBy('offset')
    .execute();
  for (const { hash, step, name } of artifacts.slice(0, shownMax))
    await addArtifact(walk, hash, `${step}.${name}`, null);
  rest(walk, 'artifact', artifacts.length);
}

/** A model version as an effect, with the deployments that use it. */
export async function addVersionUse(walk: Walk, model: string, version: number, own = true): Promise<void> {
  const { reader, database, links } = walk;
  const row = await database
    .selectFrom('versions')
    .selectAll()
    .where('model', '=', model)
    .where('version', '=', version)
    .executeTakeFirst();
  const said = { kind: 'model-version', id: `${model} v${version}`, text: `registered by ${row?.actor ?? '?'}` };
  const at = own && row !== undefined ? await reader.addFact(links, 'registry', row, said, null) : null;
  const aliases = await database
    .selectFrom('aliases')
    .selectAll()
    .where('model', '=', model)
    .where('version', '=', version)
    .execute();
  for (const alias of aliases) {
    const text = `set by ${alias.actor}`;
    await reader.addFact(links, 'registry', alias, { kind: 'alias', id: `models:/${model}@${alias.alias}`, text }, at);
  }
  const uses = await database
    .selectFrom('routes')
    .innerJoin('deployments', (join) =>
      join
        .onRef('deployments.deployment', '=', 'routes.deployment')
        .onRef('deployments.version', '=', 'routes.version'),
    )
    .select([
      'routes.deployment',
      'routes.version',
      'routes.route',
      'deployments.actor',
      'deployments.partition',
      'deployments.offset',
    ])
    .where('routes.model', '=', model)
    .where('routes.model_version', '=', version)
    .orderBy('deployments.applied_at', 'desc')
    .execute();
  for (const use of uses.slice(0, shownMax)) {
    const text = `route ${use.route}, deployed by ${use.actor}`;
    const deployed = await reader.addFact(
      links,
      'deployment-events',
      use,
      { kind: 'deployment', id: `${use.deployment} v${use.version}`, text },
      at,
    );
    await addTraffic(walk, use.deployment, use.version, deployed, use.route);
  }
  rest(walk, 'deployment', uses.length);
}

/** How many predictions a deployment made, the newest of each route, and what was found about it. */
export async function addDeploymentEffects(walk: Walk, deployment: string, version: number): Promise<void> {
  const { reader, database, links } = walk;
  await addTraffic(walk, deployment, version, null);
  const found = database
    .selectFrom('findings')
    .selectAll()
    .where('deployment', '=', deployment)
    .where('deployment_version', '=', version);
  for (const row of await found.orderBy('time_ms', 'desc').limit(shownMax).execute()) {
    const topic = row.topic as 'drift' | 'outliers' | 'rewards' | 'quality' | 'alerts';
    await reader.addFact(links, topic, row, { kind: row.kind, id: row.id, text: row.summary }, null);
  }
}

/** Runs that a trigger or an operation started. */
export async function addStartedRuns({ reader, database, links }: Walk, causeId: string): Promise<void> {
  const runs = await database.selectFrom('runs').selectAll().where('cause_id', '=', causeId).limit(shownMax).execute();
  for (const run of runs) {
    const said = { kind: 'run', id: run.id, text: `flow ${run.flow} v${run.version}, ${run.status}` };
    await reader.addFact(links, 'runs', run, said, null);
  }
}

/** Alerts that rest on a finding. */
export async function addAlerts({ reader, database, links }: Walk, evidenceId: string): Promise<void> {
  const alerts = await database.selectFrom('findings').selectAll().where('evidence_id', '=', evidenceId).execute();
  for (const row of alerts)
    await reader.addFact(links, 'alerts', row, { kind: 'alert', id: row.id, text: row.summary }, null);
}

async function addTraffic(
  { reader, database, links }: Walk,
  deployment: string,
  version: number,
  under: number | null,
  route?: string,
): Promise<void> {
  let traffic = database
    .selectFrom('traffic')
    .selectAll()
    .where('deployment', '=', deployment)
    .where('version', '=', version);
  if (route !== undefined) traffic = traffic.where('route', '=', route);
  for (const { predictions, newest, route: name } of await traffic.execute()) {
    const row = await database.selectFrom('predictions').selectAll().where('id', '=', newest).executeTakeFirst();
    if (row === undefined) continue;
    const text = `the newest of ${predictions.toLocaleString('en')} on route ${name}`;
    await reader.addFact(links, 'predictions', row, { kind: 'prediction', id: newest, text }, under);
  }
}

function rest({ links }: Walk, kind: string, count: number): void {
  if (count > shownMax) links.add({ kind, id: '…', text: `and ${count - shownMax} more`, check: 'counted' }, null);
}

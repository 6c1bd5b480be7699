/** Prediction → route → deployment → model version → artifact → the run that made it. */
import { addArtifact } from './artifact.ts';
import { MillraceError, messageOf } from '../../../runtime/ports/errors.ts';
import { type DeploymentDocument, type DeploymentRoute, modelsOfRoute } from '../../../schemas/deployment-document.ts';
import type { PredictionCompleted } from '../../../schemas/events.ts';
import type { Link } from './link.ts';
import { explainRoute, sharesText } from './route-choice.ts';
import { addMaking } from './run-causes.ts';
import { predictionLink } from './prediction-link.ts';
import type { Walk } from './walk.ts';

export async function addVersion(
  walk: Walk,
  model: string,
  version: number,
  under: number | null,
  expectedHash?: string,
): Promise<number> {
  const { reader, database, links } = walk;
  const id = `${model} v${version}`;
  const row = await database
    .selectFrom('versions')
    .selectAll()
    .where('model', '=', model)
    .where('version', '=', version)
    .executeTakeFirst();
  if (row === undefined) return links.missing('model-version', id, under);
  const registered = await reader.fact('registry', row);
  const facts = registered.event.type === 'version-registered' ? registered.event.data : undefined;
  const hash = expectedHash ?? row.artifact_hash;
  const at = reader.add(
    links,
    registered,
    {
      kind: 'model-version',
      id,
      text: `registered by ${row.actor}`,
      check: 'names the same artifact hash',
      problem:
        facts?.artifact.hash === hash
          ? undefined
          : `the version names ${facts?.artifact.hash ?? 'nothing'}, expected ${hash}`,
    },
    under,
  );
  const artifact = await addArtifact(walk, hash, 'model file', at);
  if (row.run_id !== null) await addMaking(walk, { runId: row.run_id, taskId: row.task_id, besides: hash }, artifact);
  return at;
}

/** What a version of a deployment says; undefined: that is not on the log. */
export async function documentOf(
  { reader, database }: Walk,
  deployment: string,
  version: number,
): Promise<DeploymentDocument | undefined> {
  const row = await database
    .selectFrom('deployments')
    .selectAll()
    .where('deployment', '=', deployment)
    .where('version', '=', version)
    .executeTakeFirst();
  const { event } = row === undefined ? {} : await reader.fact('deployment-events', row);
  return event?.type === 'deployment-applied' ? (JSON.parse(event.data.document) as DeploymentDocument) : undefined;
}

/** The deployment and who asked for it; with `models`, the versions that it names. */
export async function addDeployment(
  walk: Walk,
  deployment: string,
  version: number,
  under: number | null,
  { models }: { readonly models: boolean },
): Promise<{ readonly at: number; readonly document: DeploymentDocument | undefined }> {
  const { reader, database, links } = walk;
  const id = `${deployment} v${version}`;
  const row = await database
    .selectFrom('deployments')
    .selectAll()
    .where('deployment', '=', deployment)
    .where('version', '=', version)
    .executeTakeFirst();
  if (row === undefined) return { at: links.missing('deployment', id, under), document: undefined };
  const applied = await reader.fact('deployment-events', row);
  const facts = applied.event.type === 'deployment-applied' ? applied.event.data : undefined;
  const problem = facts === undefined ? 'the record is no deployment' : undefined;
  const at = reader.add(links, applied, { kind: 'deployment', id, text: `deployed by ${row.actor}`, problem }, under);
  const document = facts === undefined ? undefined : (JSON.parse(facts.document) as DeploymentDocument);
  const asked = await database
    .selectFrom('operations')
    .selectAll()
    .where('request_id', '=', facts?.requestId ?? '-')
    .executeTakeFirst();
  if (asked !== undefined) {
    const said = { kind: 'operation', id: asked.id, text: `${asked.action} by ${asked.actor}` };
    await reader.addFact(links, 'operations', asked, said, at);
  }
  if (models) {
    const pins = (document?.routes ?? []).flatMap(modelsOfRoute).map(({ model }) => model);
    const once = new Map(pins.map((pin) => [`${pin.model}/${pin.modelVersion}/${pin.artifactHash}`, pin]));
    for (const pin of once.values()) await addVersion(walk, pin.model, pin.modelVersion, at, pin.artifactHash);
  }
  return { at, document };
}

export async function addPrediction(walk: Walk, id: string, under: number | null): Promise<number> {
  const { reader, database, links } = walk;
  const row = await database.selectFrom('predictions').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) return links.missing('prediction', id, under);
  const prediction = await reader.fact('predictions', row);
  const { event } = prediction;
  if (event.type === 'prediction-failed') {
    const { code, message, deployment } = event.data;
    const text = `failed for ${deployment}: ${code}, ${message}`;
    return reader.add(links, prediction, { kind: 'prediction', id, text }, under);
  }
  if (event.type !== 'prediction-completed')
    throw new MillraceError('CORRUPT', `the record of prediction ${id} holds a ${event.type}`);
  const { data } = event;
  const at = reader.add(
    links,
    prediction,
    {
      kind: 'prediction',
      id,
      text: `${data.deployment} answered ${data.rows} row(s) for entity ${data.entity}${lateText(data)}`,
      ...predictionLink(event),
    },
    under,
  );
  const { document } = await addDeployment(walk, data.deployment, data.deploymentVersion, at, { models: false });
  const route = links.add({ kind: 'route', id: data.route, ...(await routeLink(data, document, walk)) }, at);
  // Of a graph every model that ran, else the one of the route.
  const ran = data.steps.length === 0 ? [data] : data.steps.filter(({ model }) => model !== '');
  for (const { model, modelVersion, artifactHash } of ran) {
    await addVersion(walk, model, modelVersion, route, artifactHash);
  }
  return at;
}

/** What joins within a window went on without. */
function lateText({ leftOut }: PredictionCompleted): string {
  if (leftOut.length === 0) return '';
  const late = leftOut.map(({ node, input }) => `${input} (of ${node === '' ? 'the output' : `node ${node}`})`);
  return `, without ${late.join(', ')}, not there within joinWindowMs`;
}

/** The route's choice, computed again from the weights in force. */
async function routeLink(
  data: PredictionCompleted,
  document: DeploymentDocument | undefined,
  walk: Walk,
): Promise<Pick<Link, 'text' | 'check' | 'problem'>> {
  const check = `route computed again from the ${data.routedBy}`;
  const broken = (problem: string) => ({ text: `route ${data.route}`, check, problem });
  if (document === undefined) return broken('the deployment is not known');
  try {
    const { weights, weightsVersion, cause, checks } = await explainRoute(data.predictionId, walk);
    const recorded = document.routes.find(({ name }) => name === data.route);
    const other =
      recorded !== undefined && isOfRoute(recorded, data.artifactHash) ? null : 'the model is not the one of the route';
    const problems = [...checks.map(({ problem }) => problem), other].filter((problem) => problem !== null);
    const decided = weightsVersion === 0 ? '' : `, weights version ${weightsVersion} by the ${cause}`;
    const text = `route ${data.route} of ${sharesText(weights)}${decided}`;
    return { text, check, ...(problems.length === 0 ? {} : { problem: problems.join('; ') }) };
  } catch (error) {
    return broken(messageOf(error));
  }
}

/** Whether the model that answered is one of the route's; a graph may answer without any. */
function isOfRoute(route: DeploymentRoute, artifactHash: string): boolean {
  if (artifactHash === '' && route.graph !== undefined) return true;
  return modelsOfRoute(route).some(({ model }) => model.artifactHash === artifactHash);
}

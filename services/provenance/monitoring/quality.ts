/** Quality metrics: the newest windows of each series, and page by page the ones before. */
import type { QualitySearch, QualityWindow, RewardFailures } from '../../../schemas/api/quality.ts';
import type { ProvenanceStore } from '../index.ts';

/** Newest first. */
export async function findQuality(
  { database }: ProvenanceStore,
  { deployment, route, segment, version: asked, windows = 1, until }: QualitySearch,
): Promise<readonly QualityWindow[]> {
  const version = asked ?? (await newestVersion(database, deployment, until));
  if (version === undefined) return [];
  let query = database
    .selectFrom('quality_windows')
    .select(['version', 'route', 'model', 'model_version', 'segment'])
    .distinct()
    .where('deployment', '=', deployment)
    .where('version', '=', version);
  if (route !== undefined) query = query.where('route', '=', route);
  if (segment !== undefined) query = query.where('segment', '=', segment);
  const found: { readonly to_ms: number; readonly data: string }[] = [];
  for (const series of await query.execute()) {
    let newest = database
      .selectFrom('quality_windows')
      .select(['to_ms', 'data'])
      .where('deployment', '=', deployment)
      .where('version', '=', series.version)
      .where('route', '=', series.route)
      .where('model', '=', series.model)
      .where('model_version', '=', series.model_version)
      .where('segment', '=', series.segment);
    if (until !== undefined) newest = newest.where('to_ms', '<', until);
    found.push(...(await newest.orderBy('to_ms', 'desc').limit(windows).execute()));
  }
  return found.sort((a, b) => b.to_ms - a.to_ms).map(({ data }) => JSON.parse(data) as QualityWindow);
}

/** That has windows. */
async function newestVersion(
  database: ProvenanceStore['database'],
  deployment: string,
  until: number | undefined,
): Promise<number | undefined> {
  let query = database.selectFrom('quality_windows').select('version').where('deployment', '=', deployment);
  if (until !== undefined) query = query.where('to_ms', '<', until);
  return (await query.orderBy('version', 'desc').limit(1).executeTakeFirst())?.version;
}

/** By what went wrong, the newest first. */
export async function findRewardFailures(
  { database }: ProvenanceStore,
  deployment: string,
): Promise<readonly RewardFailures[]> {
  const query = database.selectFrom('reward_failures').selectAll().where('deployment', '=', deployment);
  return (await query.orderBy('at_ms', 'desc').execute()).map(
    ({ code, failures: count, reason, prediction_id: predictionId, route, at_ms: at }) => ({
      code,
      count,
      reason,
      predictionId,
      route,
      at,
    }),
  );
}

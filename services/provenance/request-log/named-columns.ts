/** What the columns of a request are called by the deployment. */
import type { LoggedColumn } from '../../../schemas/api/request-log.ts';
import type { FeatureSpec } from '../../../schemas/deployment-document.ts';
import type { ProvenanceStore } from '../index.ts';

/** Features are called as the deployment calls them: by name when all names are there, or some are withheld; else by their place. */
export function namedColumns(
  cells: readonly Pick<LoggedColumn, 'name' | 'kind'>[],
  features: readonly FeatureSpec[],
): readonly LoggedColumn[] {
  const inputs = cells.filter(({ kind }) => kind === 'input');
  const names = new Map(features.map((feature) => [feature.name, feature]));
  const given = new Set(inputs.map(({ name }) => name));
  const byName = features.length !== inputs.length || features.every(({ name }) => given.has(name));
  return cells.map(({ name, kind }, place) => {
    const feature = kind === 'output' ? undefined : byName ? names.get(name) : features[place];
    const { categories } = feature ?? {};
    return { name: feature?.name ?? name, kind, ...(categories === undefined ? {} : { categories }) };
  });
}

/** Of a version of a deployment, as its document says them. */
export async function featuresOf(
  database: ProvenanceStore['database'],
  deployment: string,
  version: number,
): Promise<readonly FeatureSpec[]> {
  const row = await database
    .selectFrom('deployments')
    .select('document')
    .where('deployment', '=', deployment)
    .where('version', '=', version)
    .executeTakeFirst();
  return row === undefined ? [] : (JSON.parse(row.document) as { readonly features: readonly FeatureSpec[] }).features;
}

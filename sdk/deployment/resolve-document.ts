/** From what a person wrote to what goes on the log: every model named by hash. */
import type { DeploymentDocument, DeploymentRoute } from '../../schemas/deployment-document.ts';
import type { ModelVersionRow } from '../../schemas/events.ts';
import { type DeploymentSpec, parseModelReference, type RouteSpec } from './deployment-spec.ts';

/** The table `models`, as far as it is needed here; a `Table<'models'>` of the runtime fits. */
export interface ModelRows {
  rows(): readonly ModelVersionRow[];
}

export type Resolved =
  | { readonly document: DeploymentDocument; readonly problems?: undefined }
  | { readonly document?: undefined; readonly problems: readonly string[] };

/** Refresh the table before: an alias that moved since is resolved to where it was. */
export function resolveDocument(spec: DeploymentSpec, models: ModelRows): Resolved {
  const routes: DeploymentRoute[] = [];
  const problems: string[] = [];
  for (const route of spec.routes) {
    const resolved = resolveRoute(route, models.rows());
    if (typeof resolved === 'string') problems.push(resolved);
    else routes.push(resolved);
  }
  return problems.length > 0 ? { problems } : { document: { ...spec, routes } };
}

function resolveRoute(
  { name, model: text, weight }: RouteSpec,
  rows: readonly ModelVersionRow[],
): DeploymentRoute | string {
  const reference = parseModelReference(text);
  if (reference === undefined)
    return `route '${name}': '${text}' is not models:/<model>/<version> or models:/<model>@<alias>`;
  const { model, version, alias } = reference;
  const versions = rows.filter((row) => row.model === model);
  if (versions.length === 0) return `route '${name}': there is no model '${model}'${suggestion(rows)}`;
  const newest = Math.max(...versions.map((row) => row.version));
  const found = versions.find((row) =>
    alias === undefined ? row.version === (version ?? newest) : row.aliases.includes(alias),
  );
  if (found === undefined) {
    return alias === undefined
      ? `route '${name}': model '${model}' has versions 1 to ${newest}, not ${version}`
      : `route '${name}': model '${model}' has no alias '${alias}'; it has ${aliasList(versions)}`;
  }
  return { name, model, modelVersion: found.version, artifactHash: found.artifact.hash, weight };
}

function suggestion(rows: readonly ModelVersionRow[]): string {
  const names = [...new Set(rows.map((row) => row.model))].sort().slice(0, 5);
  return names.length === 0 ? ': no model is registered yet' : `; registered are ${names.join(', ')}`;
}

function aliasList(versions: readonly ModelVersionRow[]): string {
  const aliases = versions.flatMap((row) => row.aliases);
  return aliases.length === 0 ? 'none' : aliases.sort().slice(0, 10).join(', ');
}

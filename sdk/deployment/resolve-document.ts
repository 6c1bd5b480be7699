/** From what a person wrote to what goes on the log: every model named by hash. */
import { attachedOf, withAttached } from '../../schemas/attached.ts';
import type { DeploymentDocument, DeploymentRoute } from '../../schemas/deployment-document.ts';
import type { ModelVersionRow } from '../../schemas/events.ts';
import { mapGraph, type ModelPin } from '../../schemas/inference-graph.ts';
import { type DeploymentSpec, parseModelReference } from './deployment-spec.ts';

/** The table `models`, as far as it is needed here; a `Table<'models'>` of the runtime fits. */
export interface ModelRows {
  rows(): readonly ModelVersionRow[];
}

export type Resolved =
  | { readonly document: DeploymentDocument; readonly problems?: undefined }
  | { readonly document?: undefined; readonly problems: readonly string[] };

/** Refresh the table before: an alias that moved since is resolved to where it was. */
export function resolveDocument(spec: DeploymentSpec, models: ModelRows): Resolved {
  const problems: string[] = [];
  const rows = models.rows();
  const pin = (text: string, where: string): ModelPin => {
    const resolved = resolveModel(text, rows);
    const alias = spec.follow === true ? parseModelReference(text)?.alias : undefined;
    if (typeof resolved !== 'string') return alias === undefined ? resolved : { ...resolved, alias };
    problems.push(`${where}: ${resolved}`);
    return unresolved;
  };
  const routes = spec.routes.map((route): DeploymentRoute => {
    const { name, weight, shadow } = route;
    const share = { weight, ...(shadow === undefined ? {} : { shadow }) };
    const where = `route '${name}'`;
    if (route.graph === undefined) return { name, ...pin(route.model, where), ...share };
    const graph = mapGraph(route.graph, {
      model: (text, at) => pin(text, `${where}, node '${at}'`),
      code: ({ hash, function: called }, at) => {
        if (hash === undefined) {
          problems.push(
            `${where}, node '${at}': its code is not uploaded: deploy the file with \`millrace deploy\`, or bundle it with bundleDeployment`,
          );
        }
        return { hash: hash ?? '', function: called };
      },
    });
    return { name, ...share, graph };
  });
  const monitors = withAttached(spec.monitors, ({ of, name }, where) => {
    const pinned = resolveModel(of, rows);
    if (typeof pinned === 'string') {
      problems.push(`${where}: ${pinned}`);
      return undefined;
    }
    const version = rows.find((row) => row.model === pinned.model && row.version === pinned.modelVersion);
    const attached = attachedOf(version?.tags ?? {});
    if (attached[name] === undefined) {
      const has = Object.keys(attached).sort().join(', ') || 'nothing';
      problems.push(
        `${where}: version ${pinned.modelVersion} of '${pinned.model}' has no '${name}' attached, but ${has}`,
      );
    }
    return attached[name];
  });
  const { rewardFunction, ...feedback } = spec.feedback;
  if (rewardFunction !== undefined && rewardFunction.code.hash === undefined)
    problems.push(
      'feedback.rewardFunction: its code is not uploaded: deploy the file with `millrace deploy`, or bundle it with bundleDeployment',
    );
  const { hash = '', function: called } = rewardFunction?.code ?? { function: '' };
  const pinned =
    rewardFunction === undefined ? {} : { rewardFunction: { ...rewardFunction, code: { hash, function: called } } };
  return problems.length > 0
    ? { problems }
    : { document: { ...spec, routes, monitors, feedback: { ...feedback, ...pinned } } };
}

const unresolved: ModelPin = { model: '', modelVersion: 0, artifactHash: '' };

/** The version that a reference names now, or why there is none. */
export function resolveModel(text: string, rows: readonly ModelVersionRow[]): ModelPin | string {
  const reference = parseModelReference(text);
  if (reference === undefined) return `'${text}' is not models:/<model>/<version> or models:/<model>@<alias>`;
  const { model, version, alias } = reference;
  const versions = rows.filter((row) => row.model === model);
  if (versions.length === 0) return `there is no model '${model}'${suggestion(rows)}`;
  const newest = Math.max(...versions.map((row) => row.version));
  const found = versions.find((row) =>
    alias === undefined ? row.version === (version ?? newest) : row.aliases.includes(alias),
  );
  if (found === undefined) {
    return alias === undefined
      ? `model '${model}' has versions 1 to ${newest}, not ${version}`
      : `model '${model}' has no alias '${alias}'; it has ${aliasList(versions)}`;
  }
  return { model, modelVersion: found.version, artifactHash: found.artifact.hash };
}

function suggestion(rows: readonly ModelVersionRow[]): string {
  const names = [...new Set(rows.map((row) => row.model))].sort().slice(0, 5);
  return names.length === 0 ? ': no model is registered yet' : `; registered are ${names.join(', ')}`;
}

function aliasList(versions: readonly ModelVersionRow[]): string {
  const aliases = versions.flatMap((row) => row.aliases);
  return aliases.length === 0 ? 'none' : aliases.sort().slice(0, 10).join(', ');
}

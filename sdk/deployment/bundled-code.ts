/** A deployment whose code was bundled: how its nodes name the bundle. */
import { codeOfGraph, mapGraph } from '../../schemas/inference-graph.ts';
import type { CodeSpec, DeploymentSpec } from './deployment-spec.ts';

/** A deployment with the module that holds its functions. */
export interface BundledDeployment {
  readonly spec: DeploymentSpec;
  readonly code: Uint8Array;
}

/** Code that is not named by hash yet. */
export function unbundledCode(spec: DeploymentSpec): readonly CodeSpec[] {
  const { rewardFunction } = spec.feedback;
  return spec.routes
    .flatMap((route) => (route.graph === undefined ? [] : codeOfGraph(route.graph)))
    .map(({ code }) => code)
    .concat(rewardFunction === undefined ? [] : [rewardFunction.code])
    .filter(({ hash }) => hash === undefined);
}

/** The same deployment with its code named by the hash of the bundle. */
export function withBundle(spec: DeploymentSpec, hash: string): DeploymentSpec {
  const code = (one: CodeSpec): CodeSpec => {
    if (one.hash !== undefined) return one;
    return { hash, function: one.file === undefined ? one.function : `${one.file}#${one.function}` };
  };
  const routes = spec.routes.map((route) => {
    if (route.graph === undefined) return route;
    return { ...route, graph: mapGraph(route.graph, { model: (model) => model, code }) };
  });
  const { rewardFunction } = spec.feedback;
  if (rewardFunction === undefined) return { ...spec, routes };
  const named = { ...rewardFunction, code: code(rewardFunction.code) };
  return { ...spec, routes, feedback: { ...spec.feedback, rewardFunction: named } };
}

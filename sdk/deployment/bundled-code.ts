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
  return spec.routes
    .flatMap((route) => (route.graph === undefined ? [] : codeOfGraph(route.graph)))
    .map(({ code }) => code)
    .filter(({ hash }) => hash === undefined);
}

/** The same deployment with its code named by the hash of the bundle. */
export function withBundle(spec: DeploymentSpec, hash: string): DeploymentSpec {
  const routes = spec.routes.map((route) => {
    if (route.graph === undefined) return route;
    const code = (code: CodeSpec): CodeSpec => {
      if (code.hash !== undefined) return code;
      return { hash, function: code.file === undefined ? code.function : `${code.file}#${code.function}` };
    };
    return { ...route, graph: mapGraph(route.graph, { model: (model) => model, code }) };
  });
  return { ...spec, routes };
}

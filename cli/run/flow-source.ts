import { dirname, relative, resolve, sep } from 'node:path';
import { statSync } from 'node:fs';
import type { FlowGraph, FlowSource } from '../../schemas/flow-graph.ts';
import { repositoryOf } from '../../sdk/tracking/repository.ts';

/**
 * The graph with where its code is from: a run that it starts has MLflow's tags of source and git commit.
 * @param uri as the user named it, where it was fetched from elsewhere
 */
export function withSource(
  graph: FlowGraph,
  path: string,
  { entryPoint, uri }: { readonly entryPoint?: string | undefined; readonly uri?: string | undefined } = {},
): FlowGraph {
  const place = resolve(path);
  const repository = repositoryOf(statSync(place).isDirectory() ? place : dirname(place));
  const { commit, branch, address, root = '', dirty = false } = repository ?? {};
  const within = relative(root, place).split(sep).join('/');
  const source: FlowSource = {
    name: uri ?? (repository === undefined || within === '' ? path : within),
    ...(entryPoint === undefined ? {} : { entryPoint }),
    ...(commit === undefined ? {} : { commit }),
    ...(branch === undefined ? {} : { branch }),
    ...(address === undefined ? {} : { repository: address }),
    ...(dirty ? { dirty } : {}),
  };
  return { ...graph, source };
}

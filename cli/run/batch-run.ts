/** `millrace predictions batch`: a file, or an artifact of a run, through a deployment, as a run of its own. */
import { readFile, writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { moduleForChild } from '../../runtime/adapters/child-module.ts';
import { MillraceError, messageOf } from '../../runtime/ports/errors.ts';
import type { FlowGraph } from '../../schemas/flow-graph.ts';
import type { Client, DataArtifact } from '../../sdk/client/index.ts';
import { say } from '../command.ts';
import type { GlobalOptions } from '../session.ts';
import { followRun } from './follow-run.ts';
import { changedGraph } from './graph-changes.ts';

export interface BatchOptions {
  readonly format?: string;
  readonly chunkRows: string;
  readonly maxWorkers?: string;
  readonly out?: string;
  readonly outFormat?: string;
}

/** By the ending of the file's name. */
const formats: Readonly<Record<string, string>> = {
  '.csv': 'csv',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.json': 'json',
  '.npy': 'npy',
  '.parquet': 'parquet',
  '.arrow': 'arrow',
  '.arrows': 'arrow',
  '.feather': 'arrow',
};
const outputs = ['jsonl', 'csv', 'parquet', 'arrow'];

export async function runBatch(
  client: Client,
  deployment: string,
  data: string,
  options: GlobalOptions & BatchOptions,
): Promise<void> {
  await client.deployments.show(deployment);
  const output = outputOf(options);
  const { bundleFlow } = await import('../../runtime/adapters/bundler/bundle-flow.ts');
  const bundled = await bundleFlow(flowFile());
  const graph = changedGraph(bundled.graph as FlowGraph, { with: [], maxWorkers: options.maxWorkers });
  const source = await sourceOf(client, data, options.format);
  const parameters = { deployment, data: source.file, format: source.format, chunkRows: options.chunkRows, output };
  const { runId } = await client.flows.run({ ...bundled, graph }, parameters, { tags: [`deployment:${deployment}`] });
  await followRun(client, { runId, flow: graph.name, graph }, options);
  if (options.out !== undefined && (await client.runs.show(runId, { limit: 0 })).status === 'completed')
    await save(client, runId, options.out);
}

/** What is said, else what the name of the file ends in, else JSON lines. */
function outputOf({ out, outFormat }: BatchOptions): string {
  const named = out === undefined ? undefined : formats[extname(out).toLowerCase()];
  const format = outFormat ?? (named !== undefined && outputs.includes(named) ? named : 'jsonl');
  if (outputs.includes(format)) return format;
  throw new MillraceError('INVALID_ARGUMENT', `results are written as ${outputs.join(', ')}, not as '${format}'`);
}

/** The flow as this package has it: from its sources, or compiled. */
function flowFile(): string {
  return decodeURIComponent(moduleForChild('services/batch-predictions/batch-flow').url.pathname);
}

interface Source {
  readonly file: { readonly hash: string; readonly sizeBytes: number; readonly name: string };
  readonly format: string;
}

/** `<run id>/<artifact>` where no file has that name. */
async function sourceOf(client: Client, data: string, given: string | undefined): Promise<Source> {
  const [, runId, name = ''] = /^([0-9a-f]{32})\/([\w-]+)$/.exec(data) ?? [];
  if (runId !== undefined) return await artifactOf(client, runId, name, given);
  const format = given ?? formats[extname(data).toLowerCase()];
  if (format === undefined) {
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `the ending of ${data} says no format: --format csv, jsonl, json, npy, parquet or arrow`,
    );
  }
  let bytes: Uint8Array;
  try {
    bytes = await readFile(data);
  } catch (cause) {
    throw new MillraceError('INVALID_ARGUMENT', `${data} cannot be read: ${messageOf(cause)}`, { cause });
  }
  return { file: { ...(await client.files.upload(bytes)), name: data }, format };
}

async function artifactOf(client: Client, runId: string, name: string, given: string | undefined): Promise<Source> {
  const found = await artifactNamed(client, runId, name);
  const format = given ?? (found.codec === 'npy' || found.codec === 'json' ? found.codec : undefined);
  if (format === undefined) {
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `artifact '${name}' is ${found.codec}: say with --format what its bytes are`,
    );
  }
  return { file: { ...(await client.files.upload(await found.bytes())), name }, format };
}

async function artifactNamed(client: Client, runId: string, name: string): Promise<DataArtifact> {
  const found = (await client.artifacts.list({ runId, name })).at(-1);
  if (found !== undefined) return found;
  throw new MillraceError(
    'NOT_FOUND',
    `run ${runId} has no artifact '${name}'; \`millrace artifacts list ${runId}\` shows them`,
  );
}

async function save(client: Client, runId: string, out: string): Promise<void> {
  await writeFile(out, await (await artifactNamed(client, runId, 'predictions')).bytes());
  say(`written to ${out}`);
}

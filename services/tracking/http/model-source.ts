/** Where the files of a new model version lie, and what they are: found in the tables, never on this machine. */
import { invalidArgument, MillraceError } from '../../../runtime/ports/errors.ts';
import type { VersionRequested } from '../../../schemas/events.ts';
import { onnxFile } from '../../../schemas/codec/onnx-mlmodel.ts';
import type { Tracking } from '../tracking.ts';
import { artifactPath } from './artifact-paths.ts';
import { type Place, placeOf, scheme } from './artifacts.ts';
import { fileAt, filesUnder } from './listing.ts';
import { registeredFiles, sourceOf } from './registered-files.ts';
import { loggedModelOf } from './logged-models.ts';

interface Source {
  /** Where clients find the files. */
  readonly uri: string;
  readonly artifact: VersionRequested['artifact'];
  /** JSON: inputs and outputs as the file MLmodel says them; undefined when it says none. */
  readonly signature: string | undefined;
}

/**
 * An ONNX model is registered as its file, so that it can be deployed as it is; every other folder as a list of its files by content
 * hash. A source on another store is kept as an address and never opened.
 */
export async function modelSource(tracking: Tracking, source: string): Promise<Source> {
  const [, model, number] = /^models:\/([^/]+)\/([1-9]\d{0,8})$/.exec(source) ?? [];
  // A copy of a version has the files of that one, whatever becomes of it.
  if (model !== undefined) return await modelSource(tracking, await sourceOfVersion(tracking, model, Number(number)));
  const registered = source.startsWith(scheme)
    ? await registeredFiles(tracking, source.slice(scheme.length))
    : undefined;
  const onnxBytes = registered?.find(({ path }) => path === onnxFile);
  if (onnxBytes !== undefined) {
    const { hash, sizeBytes } = onnxBytes;
    return { uri: source, artifact: { name: onnxFile, hash, sizeBytes, codec: 'onnx' }, signature: undefined };
  }
  const place = await localPlace(tracking, source);
  if (place === undefined) return { uri: source, artifact: await listed(tracking, source, []), signature: undefined };
  const { uri, ownerId, path } = place;
  const database = await tracking.fresh('tracking');
  const file = path === '' ? undefined : await fileAt(database, ownerId, path);
  const files = file === undefined ? await filesUnder(database, ownerId, path === '' ? '' : `${path}/`) : [file];
  const signature = await signatureOf(tracking, files);
  const onnx = files.filter((each) => each.path.endsWith('.onnx'));
  const [only] = onnx;
  if (only !== undefined && onnx.length === 1) {
    const artifact = { name: onnxFile, hash: only.hash, sizeBytes: only.size_bytes, codec: 'onnx' };
    return { uri, artifact, signature };
  }
  return { uri, artifact: await listed(tracking, uri, files), signature };
}

async function sourceOfVersion(tracking: Tracking, name: string, version: number): Promise<string> {
  const database = await tracking.fresh('registry');
  const versions = database.selectFrom('model_versions').selectAll().where('name', '=', name);
  const row = await versions.where('version', '=', version).executeTakeFirst();
  if (row !== undefined) return sourceOf(row);
  throw new MillraceError('NOT_FOUND', `Model Version (name=${name}, version=${version}) not found`);
}

const mlmodelBytesMax = 1024 * 1024;

async function signatureOf(
  { runtime }: Tracking,
  files: readonly { readonly path: string; readonly hash: string; readonly size_bytes: number }[],
): Promise<string | undefined> {
  const file = files.find(({ path }) => path === 'MLmodel' || path.endsWith('/MLmodel'));
  if (file === undefined || file.size_bytes > mlmodelBytesMax) return undefined;
  const { parse } = await import('yaml');
  try {
    const text = (await runtime.parts.blobs.get(file.hash)).toString('utf8');
    const { signature } = parse(text) as {
      readonly signature?: { readonly inputs?: unknown; readonly outputs?: unknown };
    };
    if (signature?.inputs === undefined) return undefined;
    return JSON.stringify([signature.inputs, signature.outputs ?? null]);
  } catch {
    // It is the model server that judges the file.
    return undefined;
  }
}

async function localPlace(tracking: Tracking, source: string): Promise<(Place & { readonly uri: string }) | undefined> {
  const model = /^models:\/(m-[\w-]{1,200})$/.exec(source)?.[1];
  if (model !== undefined) {
    const { artifact_uri: uri } = await loggedModelOf(await tracking.fresh('tracking'), model);
    return { uri, ownerId: model, path: '' };
  }
  const ofRun = /^runs:\/([^/]+)\/(.+)$/.exec(source);
  if (ofRun !== null) {
    const { id, artifact_uri } = await tracking.run(ofRun[1] ?? '');
    const path = artifactPath(ofRun[2] ?? '');
    return { uri: `${artifact_uri}/${path}`, ownerId: id, path };
  }
  if (source.startsWith('mlflow-artifacts:')) {
    if (!source.startsWith(scheme) || source.startsWith(`${scheme}/`)) throw invalidArgument(badSource(source));
    const location = artifactPath(source.slice(scheme.length).replace(/\/$/, ''));
    const place = await placeOf(tracking, location);
    if (place === undefined)
      throw new MillraceError('NOT_FOUND', `'${source.slice(0, 200)}' is no place of a run or model`);
    return { ...place, uri: `${scheme}${location}` };
  }
  // A path of this machine, by whatever spelling, is nobody's model.
  const remote = /^([a-z][a-z0-9+.-]*):\/\/[^\s\\?#]+$/i.exec(source);
  if (remote === null || ['file', 'local'].includes(remote[1]?.toLowerCase() ?? ''))
    throw invalidArgument(badSource(source));
  artifactPath(source.slice(source.indexOf('://') + 3).replace(/\/$/, ''));
  return undefined;
}

async function listed(
  tracking: Tracking,
  source: string,
  files: readonly { readonly path: string; readonly hash: string; readonly size_bytes: number }[],
): Promise<VersionRequested['artifact']> {
  const list = files.map(({ path, hash, size_bytes }) => ({ path, hash, sizeBytes: size_bytes }));
  const { hash, sizeBytes } = await tracking.runtime.parts.blobs.put(
    Buffer.from(JSON.stringify({ source, files: list })),
  );
  return { name: 'mlflow-model', hash, sizeBytes, codec: 'json' };
}

const badSource = (source: string): string =>
  `Invalid model version source: '${source.slice(0, 200)}'. It must be a runs:/, models:/ or mlflow-artifacts:/ URI, or lie on another store such as s3://`;

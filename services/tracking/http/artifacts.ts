/** Files of runs and logged models: uploaded, shown, listed, taken away. Bytes are durable before an event names them. */
import type { FastifyInstance } from 'fastify';
import type { Kysely } from 'kysely';
import { invalidArgument, MillraceError } from '../../../runtime/ports/errors.ts';
import { filled } from '../run-answers.ts';
import type { Tracking } from '../tracking.ts';
import type { TrackingRows } from '../tables.ts';
import { artifactPath, pathOfUrl } from './artifact-paths.ts';
import type { Room } from './calls.ts';
import { runIdOf } from './checks.ts';
import { registeredFiles } from './registered-files.ts';
import { directory, fileAt, filesUnder } from './listing.ts';
import type { ExtensionParts } from '../../gateway/extension.ts';
import { piecesOf, rangeOf } from './byte-ranges.ts';

export const base = '/mlflow-artifacts/artifacts';
export const scheme = 'mlflow-artifacts:/';

/** Of one upload, bytes. */
const uploadBytesMax = 64 * 1024 ** 3;

export interface Place {
  readonly ownerId: string;
  /** Below the artifacts of the owner; `''` is their root. */
  readonly path: string;
}

export function artifacts({ read, tracking }: Room): void {
  read('GET', '/mlflow/artifacts/list', async ({ fields }) => {
    const { id, artifact_uri } = await tracking.run(runIdOf(fields));
    const path = artifactPath(fields.optional('path') ?? '');
    const database = await tracking.fresh('tracking');
    return filled({ root_uri: artifact_uri, files: await directory(database, id, path, path) });
  });

  read('GET', base, async ({ fields }) => {
    const location = artifactPath((fields.optional('path') ?? '').replace(/\/$/, ''));
    const registered = await registeredFiles(tracking, location);
    if (registered !== undefined) {
      // As of any file, nothing lies below it.
      const files = /\/.*\//.test(location) ? [] : registered;
      return filled({ files: files.map((file) => ({ path: file.path, is_dir: false, file_size: file.sizeBytes })) });
    }
    const place = await placeOf(tracking, location);
    if (place === undefined) return {};
    const path = artifactPath(place.path);
    const database = await tracking.fresh('tracking');
    return filled({ files: await directory(database, place.ownerId, path, '') });
  });
}

/** Calls whose bodies are bytes, whatever their type says. */
export function artifactBytes(app: FastifyInstance, tracking: Tracking, gateway: ExtensionParts): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_, payload, done) => done(null, payload));
  const { blobs } = tracking.runtime.parts;
  const schema = { tags: ['mlflow'] };

  app.put(
    `${base}/*`,
    { config: { access: 'log', body: 'large' }, schema, bodyLimit: uploadBytesMax },
    async (request) => {
      const { ownerId, path } = await fileOf(tracking, pathOfUrl(request.raw.url ?? '', `${base}/`));
      const { actor } = gateway.operations.begin(request);
      const body = request.body as AsyncIterable<Uint8Array> | undefined;
      const { hash, sizeBytes } = await blobs.put(body ?? new Uint8Array());
      const data = { ownerId, path, hash, sizeBytes, actor };
      await tracking.publish([{ topic: 'tracking', type: 'artifact-logged', data, key: ownerId }]);
      return {};
    },
  );

  app.get(`${base}/*`, { config: { access: 'read' }, schema }, async (request, reply) => {
    const file = await knownFile(tracking, pathOfUrl(request.raw.url ?? '', `${base}/`));
    const { path } = file;
    if (file.text !== undefined) return await reply.type('application/octet-stream').send(file.text);
    reply.header(
      'content-disposition',
      `attachment; filename*=UTF-8''${encodeURIComponent(path.split('/').at(-1) ?? '')}`,
    );
    reply.header('x-content-type-options', 'nosniff').header('etag', `"${file.hash}"`).header('accept-ranges', 'bytes');
    reply.type('application/octet-stream');
    const { Readable } = await import('node:stream');
    const range = rangeOf(request.headers.range, file.size_bytes);
    if (range === 'none') {
      return await reply.code(416).header('content-range', `bytes */${file.size_bytes}`).send('');
    }
    if (range === 'all') {
      return await reply.header('content-length', file.size_bytes).send(Readable.from(blobs.stream(file.hash)));
    }
    const [start, end] = range;
    reply.code(206).header('content-range', `bytes ${start}-${end - 1}/${file.size_bytes}`);
    return await reply
      .header('content-length', end - start)
      .send(Readable.from(piecesOf(blobs, file.hash, start, end)));
  });

  app.delete(`${base}/*`, { config: { access: 'log' }, schema }, async (request) => {
    const { ownerId, path } = await fileOf(tracking, pathOfUrl(request.raw.url ?? '', `${base}/`));
    const { actor } = gateway.operations.begin(request);
    const database = await tracking.fresh('tracking');
    const file = await fileAt(database, ownerId, path);
    const gone = [...(file === undefined ? [] : [file]), ...(await filesUnder(database, ownerId, `${path}/`))];
    await tracking.publish(
      gone.map((each) => ({
        topic: 'tracking',
        type: 'artifact-logged',
        data: { ownerId, path: each.path, hash: null, sizeBytes: 0, actor },
        key: ownerId,
      })),
    );
    return {};
  });
}

type KnownFile = Pick<TrackingRows['artifacts'], 'path' | 'hash' | 'size_bytes'> & { readonly text?: string };

/** NOT_FOUND unless there is one at the location. */
export async function knownFile(tracking: Tracking, location: string): Promise<KnownFile> {
  const [registered, ...others] = (await registeredFiles(tracking, location)) ?? [];
  if (registered !== undefined && others.length === 0) return { ...registered, size_bytes: registered.sizeBytes };
  const { ownerId, path } = await fileOf(tracking, location);
  const file = await fileAt(await tracking.fresh('tracking'), ownerId, path);
  if (file === undefined) throw new MillraceError('NOT_FOUND', `there is no artifact '${path}' of ${ownerId}`);
  return file;
}

export async function fileOf(tracking: Tracking, location: string): Promise<Place> {
  const place = await placeOf(tracking, location);
  if (place === undefined)
    throw new MillraceError('NOT_FOUND', `'${location.slice(0, 120)}' is no place of a run or model`);
  if (place.path === '') throw invalidArgument('the path of a file must follow the artifacts of its run');
  // By itself, too, it must be one: `~` and drives may stand behind the artifacts of a run.
  artifactPath(place.path);
  return place;
}

/** Whose files lie there: a location such as `<experiment>/<run>/artifacts/<path>`, by the artifact URI of its owner. */
export async function placeOf(tracking: Tracking, location: string): Promise<Place | undefined> {
  const segments = location.split('/');
  for (let at = 1; at < segments.length; at += 1) {
    if (segments[at] !== 'artifacts') continue;
    const id = segments[at - 1] ?? '';
    const owner = await ownerOf(tracking, id);
    if (owner === `${scheme}${segments.slice(0, at + 1).join('/')}`) {
      return { ownerId: id, path: segments.slice(at + 1).join('/') };
    }
  }
  return undefined;
}

/** The artifact URI of a run or logged model. */
async function ownerOf(tracking: Tracking, id: string): Promise<string | undefined> {
  if (!id.startsWith('m-')) return (await knownRun(tracking, id))?.artifact_uri;
  const database: Kysely<TrackingRows> = await tracking.fresh('tracking');
  const row = await database.selectFrom('logged_models').select('artifact_uri').where('id', '=', id).executeTakeFirst();
  return row?.artifact_uri;
}

async function knownRun(tracking: Tracking, id: string) {
  try {
    return await tracking.run(id);
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

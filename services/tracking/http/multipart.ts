/**
 * Files that are uploaded in parts, and addresses for their parts and ranges, as MLflow's proxy hands them out. Nothing is kept between the calls: a
 * part is a blob, its ETag says which one under the platform's seal, and who completes the upload brings the ETags back. So a server that was
 * killed goes on with an upload, and parts of one that was given up are garbage like every blob that nothing names.
 */
import { randomBytes } from 'node:crypto';
import { invalidArgument } from '../../../runtime/ports/errors.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ExtensionParts } from '../../gateway/extension.ts';
import type { Tracking } from '../tracking.ts';
import { artifactPath, pathOfUrl } from './artifact-paths.ts';
import { base, fileOf, knownFile, scheme } from './artifacts.ts';
import type { Call, Room } from './calls.ts';
import { idIn, runIdOf } from './checks.ts';
import type { Fields } from './fields.ts';
import { loggedModelOf } from './logged-models.ts';

const mpu = '/mlflow-artifacts/mpu';
const partsMax = 10_000;
const partBytesMax = 5 * 1024 ** 3;
/** Each part is said with its address and its ETag. */
const completeBytesMax = 8 * 1024 ** 2;

export function multipart({ read, log, tracking, gateway }: Room): void {
  log('POST', `${mpu}/create/*`, async ({ fields, request }) => {
    await fileOf(tracking, location(request, 'create', fields));
    const parts = fields.integer('num_parts') ?? 1;
    if (parts < 1 || parts > partsMax) throw invalidArgument(`num_parts must be 1 to ${partsMax}, got ${parts}`);
    const uploadId = `${parts}-${randomBytes(16).toString('hex')}`;
    return {
      upload_id: uploadId,
      credentials: Array.from({ length: parts }, (_, index) => ({
        url: `${root(request)}${mpu}/parts/${uploadId}/${index + 1}`,
        part_number: index + 1,
        headers: own(request),
      })),
    };
  });

  log(
    'POST',
    `${mpu}/complete/*`,
    async ({ fields, request, operation: { actor } }) => {
      const { ownerId, path } = await fileOf(tracking, location(request, 'complete', fields));
      const hashes = hashesOf(fields, gateway.seal);
      const { blobs } = tracking.runtime.parts;
      const { hash, sizeBytes } = await blobs.put(joined(tracking, hashes));
      const data = { ownerId, path, hash, sizeBytes, actor };
      await tracking.publish([{ topic: 'tracking', type: 'artifact-logged', data, key: ownerId }]);
      return {};
    },
    completeBytesMax,
  );

  log('POST', `${mpu}/abort/*`, async ({ fields, request }) => {
    await fileOf(tracking, location(request, 'abort', fields));
    partsOf(fields.text('upload_id'));
    return {};
  });

  read('GET', '/mlflow-artifacts/presigned/*', async ({ request }) => {
    const where = pathOfUrl(request.raw.url ?? '', '/mlflow-artifacts/presigned/');
    const { size_bytes: file_size } = await knownFile(tracking, where);
    return { url: addressOf(request, where), headers: own(request), file_size };
  });

  read('POST', '/mlflow/artifacts/presigned-download-url', async (call) => {
    const where = await ownersPlace(tracking, call);
    const { size_bytes: file_size } = await knownFile(tracking, where);
    return { presigned_url: addressOf(call.request, where), headers: own(call.request), file_size };
  });

  log('POST', '/mlflow/artifacts/presigned-upload-url', async (call) => {
    const where = await ownersPlace(tracking, call);
    await fileOf(tracking, where);
    return { presigned_url: addressOf(call.request, where), headers: own(call.request) };
  });
}

/** The call whose body is one part. */
export function partBytes(app: FastifyInstance, tracking: Tracking, { seal }: ExtensionParts): void {
  const schema = { tags: ['mlflow'] };
  app.put<{ Params: { upload: string; part: string } }>(
    `${mpu}/parts/:upload/:part`,
    { config: { access: 'log', body: 'large' }, schema, bodyLimit: partBytesMax },
    async (request, reply) => {
      const { upload, part } = request.params;
      if (!/^[1-9]\d{0,4}$/.test(part) || Number(part) > partsOf(upload)) {
        throw invalidArgument(`upload ${upload.slice(0, 60)} has no part '${part.slice(0, 10)}'`);
      }
      const body = request.body as AsyncIterable<Uint8Array> | undefined;
      const { hash } = await tracking.runtime.parts.blobs.put(body ?? new Uint8Array());
      return await reply.header('etag', `"${hash}-${seal(sealed(upload, Number(part), hash))}"`).send({});
    },
  );
}

async function* joined({ runtime }: Tracking, hashes: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const hash of hashes) yield* runtime.parts.blobs.stream(hash);
}

/** Of all parts, in order. INVALID_ARGUMENT unless each was uploaded to this upload. */
function hashesOf(fields: Fields, seal: ExtensionParts['seal']): readonly string[] {
  const upload = fields.text('upload_id');
  const wanted = partsOf(upload);
  const hashes = new Map<number, string>();
  for (const part of fields.objects('parts')) {
    const number = part.integer('part_number') ?? 0;
    const [, hash = '', mark = ''] = /^"?([0-9a-f]{64})-([0-9a-f]{64})"?$/.exec(part.text('etag')) ?? [];
    if (mark !== seal(sealed(upload, number, hash))) {
      throw invalidArgument(`part ${number}: its etag is not the one that was given for it in upload ${upload}`);
    }
    hashes.set(number, hash);
  }
  return Array.from({ length: wanted }, (_, index) => {
    const hash = hashes.get(index + 1);
    if (hash === undefined) throw invalidArgument(`upload ${upload} has ${wanted} parts; part ${index + 1} is missing`);
    return hash;
  });
}

const sealed = (upload: string, part: number, hash: string): string => `${upload}/${part}/${hash}`;

function partsOf(upload: string): number {
  const parts = Number(/^([1-9]\d{0,4})-[0-9a-f]{32}$/.exec(upload)?.[1] ?? 0);
  if (parts >= 1 && parts <= partsMax) return parts;
  throw invalidArgument(`'${upload.slice(0, 60)}' is no upload_id of this server`);
}

/** Clients say the folder in the URL, and in `path` the file as it lies on their machine: its last name counts. */
function location(request: FastifyRequest, call: string, fields: Fields): string {
  const folder = pathOfUrl(request.raw.url ?? '', `${mpu}/${call}/`);
  const name = fields.text('path').split(/[/\\]/).at(-1) ?? '';
  return artifactPath(`${folder}/${name}`);
}

async function ownersPlace(tracking: Tracking, { fields }: Call): Promise<string> {
  if (fields.has('run_id') === fields.has('model_id')) {
    throw invalidArgument('Exactly one of run_id and model_id must be provided.');
  }
  const { artifact_uri } = fields.has('run_id')
    ? await tracking.run(runIdOf(fields))
    : await loggedModelOf(await tracking.fresh('tracking'), idIn(fields, 'model_id'));
  if (!artifact_uri.startsWith(scheme)) throw invalidArgument(`its files lie at ${artifact_uri}, not on this server`);
  return `${artifact_uri.slice(scheme.length)}/${artifactPath(fields.text('path'))}`;
}

function addressOf(request: FastifyRequest, where: string): string {
  return `${root(request)}${base}/${where.split('/').map(encodeURIComponent).join('/')}`;
}

/** Where the caller has reached this server, with the prefix of the API. */
function root({ originalUrl, headers, protocol }: FastifyRequest): string {
  const [prefix = ''] = /^\/(?:ajax-)?api\/[23]\.0/.exec(originalUrl) ?? [];
  const secure = headers['x-forwarded-proto'] === 'https';
  return `${secure ? 'https' : protocol}://${headers.host ?? 'localhost'}${prefix}`;
}

/** Clients call such an address without the token that they have: they get back the one that they have sent. */
function own({ headers: { authorization } }: FastifyRequest): Readonly<Record<string, string>> {
  return authorization === undefined ? {} : { authorization };
}

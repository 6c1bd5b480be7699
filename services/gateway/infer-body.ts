/** Bodies of the binary tensor data extension: JSON, and behind it the bytes of the tensors that say so. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { MillraceError } from '../../runtime/ports/index.ts';

/** Length of the JSON, in both directions. */
const lengthHeader = 'inference-header-content-length';
const bytesType = 'application/octet-stream';

/** Parsed JSON with what came behind it. */
export class BinaryBody {
  readonly json: unknown;
  readonly binary: Uint8Array;

  constructor(json: unknown, binary: Uint8Array) {
    this.json = json;
    this.binary = binary;
  }
}

type Done = (error: Error | null, body?: unknown) => void;

/** For the routes of this scope alone. The header decides, whatever the content type; a body of no type is such a one too. */
export function acceptBinaryBodies(scope: FastifyInstance): void {
  const parseJson = scope.getDefaultJsonParser('error', 'error');
  const parse = (request: FastifyRequest, body: Buffer, done: Done): void => {
    let length: number;
    try {
      length = jsonLength(request, body.length);
    } catch (error) {
      return done(error as Error);
    }
    void parseJson(request, body.toString('utf8', 0, length), (error, json) =>
      done(error, length === body.length && !isBytes(request) ? json : new BinaryBody(json, body.subarray(length))),
    );
  };
  // Those of the whole server, of which this scope has copies.
  for (const type of ['application/json', bytesType])
    if (scope.hasContentTypeParser(type)) scope.removeContentTypeParser(type);
  scope.addContentTypeParser(['application/json', bytesType], { parseAs: 'buffer' }, parse);
  scope.addContentTypeParser('*', { parseAs: 'buffer' }, (request: FastifyRequest, body: Buffer, done: Done) => {
    const type = request.headers['content-type'] ?? '';
    if (type === '') return parse(request, body, done);
    done(Object.assign(new Error(`bodies of type ${type.slice(0, 80)} are not understood here`), { statusCode: 415 }));
  });
}

export async function sendBinary(reply: FastifyReply, body: object, binary: Uint8Array): Promise<FastifyReply> {
  const json = Buffer.from(JSON.stringify(body), 'utf8');
  return await reply
    .header(lengthHeader, json.length)
    .type(bytesType)
    .send(Buffer.concat([json, binary]));
}

function jsonLength(request: FastifyRequest, whole: number): number {
  const given = request.headers[lengthHeader];
  if (given === undefined) return whole;
  const length = typeof given === 'string' && /^\d{1,10}$/.test(given) ? Number(given) : Number.NaN;
  if (length <= whole) return length;
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `the header Inference-Header-Content-Length must be the length of the JSON, at most ${whole} (the body), got '${String(given).slice(0, 20)}'`,
  );
}

const isBytes = ({ headers }: FastifyRequest): boolean => headers['content-type']?.startsWith(bytesType) === true;

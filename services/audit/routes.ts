/** The audit trail over HTTP: verification, entries for an export, seals with their files, and redaction. */
import { Readable } from 'node:stream';
import { idOf } from '../../schemas/derived-ids.ts';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import { timeOf } from './time-of.ts';
import { plainJson } from '../../schemas/codec/plain-json.ts';
import { auditedTopics } from '../../schemas/topics.ts';
import type { ExtensionParts } from '../gateway/extension.ts';
import { auditEntries, type AuditedTopic } from './entries.ts';
import { retentionRoutes } from './retention-routes.ts';
import { fileOfSeal, readSeals } from './seals.ts';
import { verifyAudit } from './verify.ts';
import { verifySeals } from './verify-seals.ts';

interface EntriesQuery {
  readonly topic?: string;
  readonly since?: string;
  readonly until?: string;
  readonly actor?: string;
}

interface RedactionBody {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly fields?: readonly string[];
  readonly reason: string;
}

const tags = ['audit'];
const audited = Type.String({ enum: [...auditedTopics] });
const time = Type.Optional(Type.String({ maxLength: 40, description: 'milliseconds since the epoch, or ISO 8601' }));

export const auditRoutes =
  (runtime: Runtime) =>
  (app: FastifyInstance, parts: ExtensionParts): void => {
    const { operations, decisions } = parts;
    const { log, blobs } = runtime.parts;
    retentionRoutes(runtime, app, parts);
    const read = { config: { access: 'read' as const } };

    app.get(
      '/api/v1/audit/verification',
      {
        ...read,
        schema: {
          summary: 'hold the audited topics against their hash chains, and sealed files against their seals',
          tags,
        },
      },
      async () => {
        const [report, seals] = [await verifyAudit(log, runtime), await readSeals(log, runtime)];
        const sealed = await verifySeals(seals, { readFile: async (file) => await fileOf(file, blobs) });
        return { ...report, intact: report.intact && sealed.every(({ problems }) => problems.length === 0), sealed };
      },
    );

    app.get<{ Querystring: EntriesQuery }>(
      '/api/v1/audit/entries',
      {
        ...read,
        schema: {
          summary: 'events of the audited topics in the order of time, a page',
          tags,
          produces: ['application/x-ndjson'],
          querystring: Type.Object({
            topic: Type.Optional(audited),
            since: time,
            until: time,
            actor: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
          }),
        },
      },
      async ({ query: { topic, since, until, actor } }, reply) => {
        const entries = auditEntries(runtime, {
          topics: topic === undefined ? undefined : [topic as AuditedTopic],
          since: timeOf('since', since),
          until: timeOf('until', until),
          actor,
        });
        return await reply.type('application/x-ndjson').send(Readable.from(linesOf(entries)));
      },
    );

    app.get(
      '/api/v1/audit/seals',
      {
        ...read,
        schema: {
          summary:
            'seals of the audit trail, what could not be sealed, is redacted or expired; retention and holds in force',
          tags,
        },
      },
      async () => await readSeals(log, runtime),
    );

    app.get<{ Params: { hash: string } }>(
      '/api/v1/audit/files/:hash',
      {
        ...read,
        schema: {
          summary: 'a sealed file',
          tags,
          params: Type.Object({ hash: Type.String({ pattern: '^[0-9a-f]{64}$' }) }),
        },
      },
      async ({ params }, reply) => {
        // only what a seal names: the store holds more than that
        const { sealed, redacted } = await readSeals(log, runtime);
        if (!sealed.some((seal) => fileOfSeal(seal, redacted) === params.hash))
          throw new MillraceError('NOT_FOUND', `no seal names the file '${params.hash}'`);
        return await reply.type('application/x-ndjson').send(Readable.from(blobs.stream(params.hash)));
      },
    );

    app.post<{ Body: RedactionBody }>(
      '/api/v1/audit/redactions',
      {
        config: { access: 'write', action: 'audit.redact' },
        schema: {
          summary: 'forget fields of a sealed record; the trail still verifies',
          tags,
          body: Type.Object(
            {
              topic: audited,
              partition: Type.Integer({ minimum: 0, maximum: 10_000 }),
              offset: Type.Integer({ minimum: 0 }),
              fields: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 256 }), { maxItems: 64 })),
              reason: Type.String({ minLength: 1, maxLength: 1_000 }),
            },
            { additionalProperties: false },
          ),
        },
      },
      async (request) => {
        const operation = operations.begin(request);
        const { requestId, actor } = operation;
        const { topic, partition, offset, fields = [], reason } = request.body;
        const object = `${topic}/${partition}@${offset}`;
        const key = `${topic}/${partition}`;
        const data = { requestId, topic, partition, offset, fields: [...fields], reason, actor };
        const id = idOf('redact', object, requestId);
        return await decisions.ask('record-redacted', object, requestId, () =>
          operations.publish(
            request,
            operation,
            object,
            [{ topic: 'audit-seals', type: 'redaction-requested', key, data, id }],
            { fields, reason },
          ),
        );
      },
    );
  };

async function* linesOf(entries: AsyncIterable<object>): AsyncGenerator<string> {
  for await (const entry of entries) yield `${plainJson(entry)}\n`;
}

async function fileOf(file: string, blobs: Runtime['parts']['blobs']): Promise<Uint8Array | undefined> {
  try {
    return await blobs.get(file);
  } catch (error) {
    if (error instanceof MillraceError && ['NOT_FOUND', 'CORRUPT'].includes(error.code)) return undefined;
    throw error;
  }
}

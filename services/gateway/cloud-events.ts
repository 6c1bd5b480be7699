/** CloudEvents 1.0 over HTTP: binary (headers `ce-…`) and structured (`application/cloudevents+json`); or a plain body. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { MillraceError } from '../../runtime/ports/index.ts';

export interface IncomingEvent {
  readonly id: string | undefined;
  readonly source: string | undefined;
  readonly type: string | undefined;
  readonly subject: string | undefined;
  /** All attributes by name, extensions included. */
  readonly attributes: Readonly<Record<string, string>>;
  /** The payload. */
  readonly data: unknown;
}

export const cloudEventType = 'application/cloudevents+json';

export function acceptCloudEvents(app: FastifyInstance): void {
  app.addContentTypeParser(cloudEventType, { parseAs: 'string' }, app.getDefaultJsonParser('error', 'error'));
}

/** INVALID_ARGUMENT names the attribute that is wrong. */
export function incomingEvent(request: FastifyRequest): IncomingEvent {
  const contentType = request.headers['content-type'] ?? '';
  if (contentType.startsWith(cloudEventType)) return structured(request.body);
  if (request.headers['ce-specversion'] === undefined) return plain(request.body);
  checkVersion(request.headers['ce-specversion']);
  return {
    id: required('ce-id', request.headers['ce-id']),
    source: required('ce-source', request.headers['ce-source']),
    type: required('ce-type', request.headers['ce-type']),
    subject: optional('ce-subject', request.headers['ce-subject']),
    attributes: attributesOf(request.headers, 'ce-'),
    data: request.body,
  };
}

/** Written out, as most calls are: spreading an object costs more than reading a small request. */
function plain(data: unknown): IncomingEvent {
  return { id: undefined, source: undefined, type: undefined, subject: undefined, attributes: noAttributes, data };
}

const noAttributes: Readonly<Record<string, string>> = {};
const attributesMax = 50;

/** Texts, numbers and truth values whose names begin so; not the payload. */
function attributesOf(values: Readonly<Record<string, unknown>>, prefix: string): Readonly<Record<string, string>> {
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(values)) {
    if (!name.startsWith(prefix) || name === 'data' || name === 'data_base64') continue;
    if (!['string', 'number', 'boolean'].includes(typeof value) || Object.keys(attributes).length >= attributesMax)
      continue;
    attributes[name.slice(prefix.length)] = String(value).slice(0, 1_024);
  }
  return attributes;
}

function structured(body: unknown): IncomingEvent {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new MillraceError('INVALID_ARGUMENT', 'a structured cloud event must be a JSON object');
  }
  const event = body as Readonly<Record<string, unknown>>;
  checkVersion(event['specversion']);
  return {
    id: required('id', event['id']),
    source: required('source', event['source']),
    type: required('type', event['type']),
    subject: optional('subject', event['subject']),
    attributes: attributesOf(event, ''),
    data: event['data'],
  };
}

function checkVersion(version: unknown): void {
  if (version !== '1.0') {
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `the cloud event's specversion must be '1.0', got '${String(version)}'`,
    );
  }
}

function required(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && value.length <= 1_024) return value;
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `the cloud event's attribute '${name}' must be a text of 1 to 1024 characters`,
  );
}

function optional(name: string, value: unknown): string | undefined {
  return value === undefined ? undefined : required(name, value);
}

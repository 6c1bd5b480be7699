/** Calls of the gateway: JSON both ways, errors as {@link MillraceError} with the code that the gateway gave. */
import { type ErrorCode, errorCodes, MillraceError, messageOf } from '../../runtime/ports/errors.ts';

export interface ConnectOptions {
  /** Of the gateway. @default 'http://127.0.0.1:7400' */
  readonly url?: string | undefined;
  /** Bearer token. @default none */
  readonly token?: string | undefined;
  /** Who asks, for the record. @default as the gateway is configured */
  readonly actor?: string | undefined;
  /** Tag that every run must have which lists and `run` show, as `user:ada` or `production:<token>`. @default none */
  readonly namespace?: string | undefined;
  /** How long a call may take. @default 30000 */
  readonly timeoutMs?: number | undefined;
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  /** Sent as JSON; text and bytes are sent as they are, with the content type of `headers`. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal | undefined;
}

export class HttpCaller {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeoutMs: number;

  constructor({ url = 'http://127.0.0.1:7400', token, actor, timeoutMs = 30_000 }: ConnectOptions) {
    this.#url = url.replace(/\/+$/, '');
    this.#headers = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(actor === undefined ? {} : { 'x-millrace-actor': actor }),
    };
    this.#timeoutMs = timeoutMs;
  }

  /** The parsed answer. Rejects with the gateway's code, UNAVAILABLE when it cannot be reached, TIMEOUT when it does not answer. */
  async call(call: Call): Promise<unknown> {
    const signal = AbortSignal.any([
      AbortSignal.timeout(this.#timeoutMs),
      ...(call.signal === undefined ? [] : [call.signal]),
    ]);
    const response = await this.open({ ...call, signal });
    const text = await response.text();
    const body = parseJson(text);
    if (response.ok) return body;
    throw errorOf(response.status, body, call);
  }

  /** The bytes of the answer; rejects like `call`. */
  async bytes(call: Call): Promise<Uint8Array> {
    const response = await this.open({ ...call, signal: AbortSignal.timeout(this.#timeoutMs) });
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
    throw errorOf(response.status, parseJson(await response.text()), call);
  }

  /** The response itself, for streams. */
  async open({ method, path, body, headers = {}, signal }: Call): Promise<Response> {
    const plain = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
    const sent = plain ? body : JSON.stringify(body);
    const all: Record<string, string> = { ...this.#headers };
    if (sent !== undefined) all['content-type'] = 'application/json';
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) all[name] = value;
    try {
      return await fetch(this.#url + path, {
        method,
        headers: all,
        ...(sent === undefined ? {} : { body: sent }),
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (cause) {
      if (cause instanceof Error && cause.name === 'TimeoutError') {
        throw new MillraceError('TIMEOUT', `${method} ${path} was not answered within ${this.#timeoutMs} ms`, {
          cause,
        });
      }
      if (cause instanceof Error && cause.name === 'AbortError') {
        throw new MillraceError('CANCELLED', `${method} ${path} was cancelled`, { cause });
      }
      if (cause instanceof Error && hasName(cause.cause, 'HeadersTimeoutError', 'BodyTimeoutError')) {
        const hint =
          'A model that is asked for the first time may still be made ready, which for one of Python takes minutes: ask again';
        throw new MillraceError('TIMEOUT', `${method} ${path} was not answered by ${this.#url}. ${hint}`, { cause });
      }
      const reason = cause instanceof Error && cause.cause !== undefined ? messageOf(cause.cause) : messageOf(cause);
      throw new MillraceError('UNAVAILABLE', `no gateway answers at ${this.#url} (${reason}): is it running?`, {
        cause,
      });
    }
  }
}

function hasName(error: unknown, ...names: readonly string[]): boolean {
  return error instanceof Error && names.includes(error.name);
}

/** A path of fixed parts and encoded names. */
export function path(parts: TemplateStringsArray, ...names: readonly string[]): string {
  return parts.map((part, index) => part + encodeURIComponent(names[index] ?? '')).join('');
}

/** `?a=1&b=2`, without what is undefined. */
export function query(values: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
  return given.length === 0 ? '' : `?${new URLSearchParams(given as [string, string][]).toString()}`;
}

/** A time in a query string. */
export function timeText(time: number | string | Date | undefined): string | undefined {
  return time instanceof Date ? String(time.getTime()) : time?.toString();
}

export function errorOf(status: number, body: unknown, call: Pick<Call, 'method' | 'path'>): MillraceError {
  const { code, error_code, message, id, predictionId } = (typeof body === 'object' && body !== null ? body : {}) as {
    readonly code?: unknown;
    readonly error_code?: unknown;
    readonly message?: unknown;
    readonly id?: unknown;
    readonly predictionId?: unknown;
  };
  const known =
    typeof code === 'string' && Object.hasOwn(errorCodes, code) ? (code as ErrorCode) : codeOfMlflow(error_code);
  const text = typeof message === 'string' ? message : `${call.method} ${call.path} was answered with status ${status}`;
  return new MillraceError(known, text, {
    details: { status, id, ...(predictionId === undefined ? {} : { predictionId }) },
  });
}

/** Codes of MLflow's API, which the same gateway speaks. */
function codeOfMlflow(code: unknown): ErrorCode {
  switch (code) {
    case 'RESOURCE_DOES_NOT_EXIST':
    case 'ENDPOINT_NOT_FOUND':
      return 'NOT_FOUND';
    case 'RESOURCE_ALREADY_EXISTS':
      return 'CONFLICT';
    case 'INVALID_PARAMETER_VALUE':
    case 'BAD_REQUEST':
      return 'INVALID_ARGUMENT';
    case 'PERMISSION_DENIED':
    case 'UNAUTHENTICATED':
      return 'FORBIDDEN';
    default:
      return 'INTERNAL';
  }
}

export function parseJson(text: string): unknown {
  try {
    return text === '' ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

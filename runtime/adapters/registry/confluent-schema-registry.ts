import registryPackage from '@kafkajs/confluent-schema-registry';
import { MillraceError, messageOf } from '../../ports/errors.ts';
import { type SchemaRegistry } from '../../ports/schema-registry.ts';
import { canonical } from './schema-text.ts';

const { COMPATIBILITY, SchemaRegistry: Client, SchemaType } = registryPackage;

export interface ConfluentSchemaRegistryOptions {
  /** Base address of a registry with the Confluent API, such as `http://registry:8081`, or `https://name:password@registry`. */
  readonly url: string;
  /** HTTP basic authentication. @default that of the address */
  readonly auth?: { readonly username: string; readonly password: string } | undefined;
  /** For each attempt at a request; one that is not answered in time is made again, three times at most. @default 5000 */
  readonly requestTimeoutMs?: number | undefined;
}

/**
 * Opens a registry of the cluster profile. Only its ids and texts are used: encoding and decoding are the codec's, with resolvers that
 * are built once. Nothing is asked until the first call.
 */
export function openConfluentSchemaRegistry(options: ConfluentSchemaRegistryOptions): Promise<SchemaRegistry> {
  return Promise.resolve(new ConfluentSchemaRegistry(withoutCredentials(options)));
}

/** A name and a password in the address are taken out of it: no client takes them there, and each would say them in its errors. */
function withoutCredentials(options: ConfluentSchemaRegistryOptions): ConfluentSchemaRegistryOptions {
  const address = URL.canParse(options.url) ? new URL(options.url) : undefined;
  if (address === undefined || (address.username === '' && address.password === '')) return options;
  const { username, password } = address;
  const auth = { username: decodeURIComponent(username), password: decodeURIComponent(password) };
  address.username = address.password = '';
  return { auth, ...options, url: address.href };
}

const level = COMPATIBILITY.FULL_TRANSITIVE;
const attemptsMax = 4;

class ConfluentSchemaRegistry implements SchemaRegistry {
  readonly #client: InstanceType<typeof Client>;
  readonly #rest: ConfluentRest;
  readonly #texts = new Map<number, Promise<string>>();
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: ConfluentSchemaRegistryOptions) {
    const { url, auth } = options;
    this.#rest = new ConfluentRest(options);
    this.#client = new Client({ host: url, ...(auth === undefined ? {} : { auth }), retry: { retries: 2 } });
  }

  /** What the subject has already is only looked up: most starts register nothing new. */
  async register(subject: string, schema: string): Promise<number> {
    this.#refuseClosed();
    const [known] = await Promise.all([this.#rest.idOf(subject, schema), this.#setLevel(subject)]);
    if (known !== undefined) return known;
    // One after another: registries may give two ids to a schema that is registered twice at once.
    const result = this.#last.then(() => this.#register(subject, schema));
    this.#last = result.catch(() => undefined);
    return await result;
  }

  async #register(subject: string, schema: string): Promise<number> {
    this.#refuseClosed();
    const text = canonical(subject, schema);
    try {
      const { id } = await this.#client.register(
        { type: SchemaType.AVRO, schema: text },
        { subject, compatibility: level },
      );
      return id;
    } catch (error) {
      throw registrationError(error, subject);
    }
  }

  schema(id: number): Promise<string> {
    return this.#guarded(() => {
      let text = this.#texts.get(id);
      if (text === undefined) {
        text = this.#rest.schema(id);
        this.#texts.set(id, text);
        text.catch(() => this.#texts.delete(id)); // an id may be registered later
      }
      return text;
    });
  }

  latest(subject: string): Promise<number | undefined> {
    return this.#guarded(() => this.#rest.latest(subject));
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  /** The client sets it only after the first registration, which leaves a gap for a second one under the registry's own default. */
  async #setLevel(subject: string): Promise<void> {
    const found = await this.#rest.level(subject);
    if (found === undefined) await this.#rest.setLevel(subject, level);
    else if (found.toUpperCase() !== level) {
      const message =
        `Subject "${subject}" has the compatibility level ${found} in the registry; this platform needs ${level}. ` +
        `Set it with PUT /config/${subject}, after a look at who else uses the subject.`;
      throw new MillraceError('INVALID_CONFIGURATION', message, { details: { subject, expected: level, got: found } });
    }
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    this.#refuseClosed();
    return work();
  }

  #refuseClosed(): void {
    if (this.#closed) throw new MillraceError('CLOSED', 'The schema registry was closed before the call.');
  }
}

/** The calls that the client lacks, or answers without the registry's error code: a proxy's 404 must not pass for "unknown". */
class ConfluentRest {
  readonly #options: ConfluentSchemaRegistryOptions;

  constructor(options: ConfluentSchemaRegistryOptions) {
    this.#options = options;
  }

  async schema(id: number): Promise<string> {
    const doing = `looking up schema ${id}`;
    const { status, body } = await this.#call(doing, 'GET', `/schemas/ids/${id}`);
    if (status === 200 && typeof body['schema'] === 'string') return body['schema'];
    if (status === 404 && body['error_code'] === 40403) {
      throw new MillraceError('UNKNOWN_SCHEMA', `The registry has no schema with the id ${id}.`, { details: { id } });
    }
    throw unavailable(doing, new Error(`it answered ${status} ${JSON.stringify(body)}`));
  }

  async latest(subject: string): Promise<number | undefined> {
    const doing = `looking up subject "${subject}"`;
    const { status, body } = await this.#call(doing, 'GET', `/subjects/${encodeURIComponent(subject)}/versions/latest`);
    if (status === 200 && typeof body['id'] === 'number') return body['id'];
    if (status === 404 && body['error_code'] === 40401) return undefined;
    throw unavailable(doing, new Error(`it answered ${status} ${JSON.stringify(body)}`));
  }

  /** Undefined when the subject has no such version, or the registry does not say. */
  async idOf(subject: string, schema: string): Promise<number | undefined> {
    const doing = `looking up a schema of subject "${subject}"`;
    const { status, body } = await this.#call(doing, 'POST', `/subjects/${encodeURIComponent(subject)}`, { schema });
    return status === 200 && typeof body['id'] === 'number' ? body['id'] : undefined;
  }

  async level(subject: string): Promise<string | undefined> {
    const doing = `looking up the level of subject "${subject}"`;
    const { status, body } = await this.#call(doing, 'GET', `/config/${encodeURIComponent(subject)}`);
    if (status === 404) return undefined;
    const found = body['compatibilityLevel'];
    if (status === 200 && typeof found === 'string') return found;
    throw unavailable(doing, new Error(`it answered ${status} ${JSON.stringify(body)}`));
  }

  async setLevel(subject: string, compatibility: string): Promise<void> {
    const doing = `setting the level of subject "${subject}"`;
    const { status, body } = await this.#call(doing, 'PUT', `/config/${encodeURIComponent(subject)}`, {
      compatibility,
    });
    // Some registries keep levels with the subject's first version only; then the client sets it after that.
    if (status !== 200 && status !== 404)
      throw unavailable(doing, new Error(`it answered ${status} ${JSON.stringify(body)}`));
  }

  /** Every call is idempotent. */
  async #call(doing: string, method: string, path: string, body?: unknown) {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#callOnce(method, path, body);
      } catch (failure) {
        const isLate = failure instanceof Error && failure.name === 'TimeoutError';
        if (isLate && attempt < attemptsMax) continue;
        // `fetch failed` says nothing; what it wraps does.
        throw unavailable(doing, failure instanceof TypeError && failure.cause !== undefined ? failure.cause : failure);
      }
    }
  }

  async #callOnce(method: string, path: string, body: unknown) {
    const { url, auth, requestTimeoutMs = 5_000 } = this.#options;
    const headers: Record<string, string> = { 'content-type': 'application/vnd.schemaregistry.v1+json' };
    if (auth !== undefined) {
      headers['authorization'] = `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`;
    }
    const response = await fetch(url.replace(/\/$/, '') + path, {
      method,
      headers,
      signal: AbortSignal.timeout(requestTimeoutMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: parseObject(text) };
  }
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : { text };
  } catch {
    return { text };
  }
}

function statusOf(error: unknown): unknown {
  return error instanceof Error && 'status' in error ? error.status : undefined;
}

function registrationError(error: unknown, subject: string): MillraceError {
  const options = { cause: error, details: { subject } };
  const says = `The registry refused a schema for subject "${subject}": ${messageOf(error)}`;
  switch (statusOf(error)) {
    case 409:
      return new MillraceError('INCOMPATIBLE_SCHEMA', says, options);
    case 422:
      return new MillraceError('INVALID_ARGUMENT', says, options);
    case 401:
    case 403:
      return new MillraceError('FORBIDDEN', says, options);
    default:
      return unavailable(`registering a schema for subject "${subject}"`, error);
  }
}

const unavailable = (doing: string, cause: unknown): MillraceError =>
  new MillraceError('UNAVAILABLE', `The schema registry failed while ${doing}: ${messageOf(cause)}`, { cause });

import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { MillraceError, messageOf } from '../../ports/errors.ts';
import { type SchemaRegistry } from '../../ports/schema-registry.ts';
import { canonical, refuseIncompatible } from './schema-text.ts';

export interface EmbeddedSchemaRegistryOptions {
  /** Holds `registry.json`; made when missing. One process at a time (the caller holds the lock of the data directory). */
  readonly directory: string;
}

/** Opens the registry of the local profile: ids and subjects in one JSON file that is replaced whole. */
export async function openEmbeddedSchemaRegistry(options: EmbeddedSchemaRegistryOptions): Promise<SchemaRegistry> {
  await mkdir(options.directory, { recursive: true });
  const path = join(options.directory, 'registry.json');
  return new EmbeddedSchemaRegistry(path, await load(path));
}

interface Content {
  readonly format: 1;
  /** Schema texts; the id is the index + 1. Ids are never given again. */
  readonly schemas: readonly string[];
  /** Ids of the versions of each subject, oldest first. */
  readonly subjects: Readonly<Record<string, readonly number[]>>;
}

interface Registration {
  readonly subject: string;
  readonly schema: string;
  resolve(id: number): void;
  reject(error: unknown): void;
}

class EmbeddedSchemaRegistry implements SchemaRegistry {
  readonly #path: string;
  #content: Content;
  #closed = false;
  #waiting: Registration[] = [];
  #writing: Promise<void> | undefined;

  constructor(path: string, content: Content) {
    this.#path = path;
    this.#content = content;
  }

  register(subject: string, schema: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ subject, schema, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  schema(id: number): Promise<string> {
    return this.#answer(() => {
      const text = this.#content.schemas[id - 1];
      if (text !== undefined) return text;
      throw new MillraceError('UNKNOWN_SCHEMA', `The registry has no schema with the id ${id}.`, { details: { id } });
    });
  }

  latest(subject: string): Promise<number | undefined> {
    return this.#answer(() => versionsOf(this.#content, subject).at(-1));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#writing;
  }

  /** In their order, each seeing those before it. What is asked for together is written together: the file is synced each time. */
  async #writeAll(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const registrations = this.#waiting;
      this.#waiting = [];
      let content = this.#content;
      const answers: (readonly [registration: Registration, id: number])[] = [];
      for (const registration of registrations) {
        try {
          this.#refuseClosed();
          const registered = withSchema(content, registration);
          content = registered.content;
          answers.push([registration, registered.id]);
        } catch (error) {
          registration.reject(error);
        }
      }
      try {
        if (content !== this.#content) await save(this.#path, content);
        this.#content = content;
        for (const [{ resolve }, id] of answers) resolve(id);
      } catch (error) {
        for (const [{ reject }] of answers) reject(error);
      }
    }
    this.#writing = undefined;
  }

  async #answer<T>(work: () => T): Promise<T> {
    this.#refuseClosed();
    return work();
  }

  #refuseClosed(): void {
    if (this.#closed) throw new MillraceError('CLOSED', 'The schema registry was closed before the call.');
  }
}

/** The content with one more version, if it is none yet, and its id. */
function withSchema(before: Content, { subject, schema }: Registration): { content: Content; id: number } {
  const versions = versionsOf(before, subject);
  const asWritten = before.schemas.indexOf(schema) + 1;
  if (asWritten > 0 && versions.includes(asWritten)) return { content: before, id: asWritten };
  const text = canonical(subject, schema);
  const known = before.schemas.indexOf(text) + 1;
  if (known > 0 && versions.includes(known)) return { content: before, id: known };
  refuseIncompatible(
    subject,
    text,
    versions.map((id) => before.schemas[id - 1] ?? ''),
  );
  const schemas = known > 0 ? before.schemas : [...before.schemas, text];
  const id = known > 0 ? known : schemas.length;
  const subjects = { ...before.subjects, [subject]: [...versions, id] };
  return { content: { format: 1, schemas, subjects }, id };
}

const versionsOf = (content: Content, subject: string): readonly number[] =>
  Object.hasOwn(content.subjects, subject) ? (content.subjects[subject] ?? []) : [];

async function load(path: string): Promise<Content> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      return { format: 1, schemas: [], subjects: {} };
    throw error;
  }
  const content = parse(path, text);
  const format = content['format'];
  if (typeof format === 'number' && format > 1) {
    throw new MillraceError(
      'NEWER_FORMAT',
      `${path} has the format ${format}; this program knows 1. Use the newer program.`,
    );
  }
  const { schemas, subjects } = content;
  if (format !== 1 || !Array.isArray(schemas) || typeof subjects !== 'object' || subjects === null) {
    throw new MillraceError('CORRUPT', `${path} is not a schema registry's file. Restore it from a backup.`);
  }
  return { format: 1, schemas: schemas as string[], subjects: subjects as Record<string, number[]> };
}

function parse(path: string, text: string): Record<'schemas' | 'subjects', unknown> & Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<'schemas' | 'subjects', unknown>;
  } catch (cause) {
    throw new MillraceError('CORRUPT', `${path} is not JSON: ${messageOf(cause)}. Restore it from a backup.`, {
      cause,
    });
  }
}

/** Whole or not at all, also after kill -9: a file beside it, on the disk, renamed over it. */
async function save(path: string, content: Content): Promise<void> {
  const part = `${path}.part`;
  const file = await open(part, 'w');
  try {
    await file.writeFile(`${JSON.stringify(content, null, 1)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(part, path);
}

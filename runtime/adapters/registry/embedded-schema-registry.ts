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

class EmbeddedSchemaRegistry implements SchemaRegistry {
  readonly #path: string;
  #content: Content;
  #closed = false;
  /** Registrations one after another: each sees the file as the one before left it. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string, content: Content) {
    this.#path = path;
    this.#content = content;
  }

  register(subject: string, schema: string): Promise<number> {
    const result = this.#last.then(() => this.#register(subject, schema));
    this.#last = result.catch(() => undefined);
    return result;
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
    await this.#last;
  }

  async #register(subject: string, schema: string): Promise<number> {
    this.#refuseClosed();
    const text = canonical(subject, schema);
    const versions = versionsOf(this.#content, subject);
    const known = this.#content.schemas.indexOf(text) + 1;
    if (known > 0 && versions.includes(known)) return known;
    refuseIncompatible(
      subject,
      text,
      versions.map((id) => this.#content.schemas[id - 1] ?? ''),
    );
    const schemas = known > 0 ? this.#content.schemas : [...this.#content.schemas, text];
    const id = known > 0 ? known : schemas.length;
    const subjects = { ...this.#content.subjects, [subject]: [...versions, id] };
    const content: Content = { format: 1, schemas, subjects };
    await save(this.#path, content);
    this.#content = content;
    return id;
  }

  async #answer<T>(work: () => T): Promise<T> {
    this.#refuseClosed();
    return work();
  }

  #refuseClosed(): void {
    if (this.#closed) throw new MillraceError('CLOSED', 'The schema registry was closed before the call.');
  }
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

import { MillraceError } from '../../../runtime/ports/errors.ts';
import { type SchemaRegistry } from '../../../runtime/ports/schema-registry.ts';
import { canonicalSchema } from '../../../schemas/codec/canonical-schema.ts';
import { fullProblems, fullTransitiveProblems } from '../../../schemas/codec/compatibility.ts';
import { type SchemaRegistryFixture } from './cases.ts';

/** What is wrong with one mutant; everything else of it is right. */
export interface Mutation {
  readonly name: string;
  readonly canonical?: (text: string) => string;
  readonly compatible?: (schema: string, versions: readonly string[]) => boolean;
  readonly newest?: (ids: readonly number[]) => number | undefined;
  readonly answered?: (text: string) => string;
  readonly unknown?: 'UNAVAILABLE';
  readonly forgets?: true;
  readonly races?: true;
  readonly staysOpen?: true;
}

export const mutations: readonly Mutation[] = [
  { name: 'answers another schema', answered: (text) => text.replace('"sensor"', '"censor"') },
  { name: 'takes the spelling for the schema', canonical: (text) => (canonicalSchema(text), text) },
  { name: 'answers the oldest version as the newest', newest: (ids) => ids[0] },
  {
    name: 'does not compare with the newest version',
    compatible: (schema, versions) => fullTransitiveProblems(schema, versions.slice(0, -1)) === undefined,
  },
  {
    name: 'compares with the newest version only',
    compatible: (schema, versions) => versions.slice(-1).every((version) => fullProblems(schema, version).length === 0),
  },
  { name: 'calls an unknown id unavailable', unknown: 'UNAVAILABLE' },
  { name: 'makes up a version of an unknown subject', newest: (ids) => ids.at(-1) ?? 1 },
  { name: 'takes a text that is no schema', canonical: leniently },
  { name: 'forgets at the end of the process', forgets: true },
  { name: 'races with itself', races: true },
  { name: 'goes on after close', staysOpen: true },
];

/** A registry in memory with one thing wrong with it. */
export function mutantFixture(mutation: Mutation): SchemaRegistryFixture {
  const content = emptyContent();
  const open = (): SchemaRegistry => new MutantRegistry(mutation, mutation.forgets ? emptyContent() : content);
  return { registry: open(), reopen: () => Promise.resolve(open()) };
}

interface Content {
  readonly schemas: string[];
  readonly subjects: Map<string, number[]>;
}

const emptyContent = (): Content => ({ schemas: [], subjects: new Map() });

class MutantRegistry implements SchemaRegistry {
  readonly #mutation: Mutation;
  readonly #content: Content;
  #closed = false;

  constructor(mutation: Mutation, content: Content) {
    this.#mutation = mutation;
    this.#content = content;
  }

  async register(subject: string, schema: string): Promise<number> {
    this.#refuseClosed();
    const { schemas, subjects } = this.#content;
    const text = canonicalOrRefused(this.#mutation.canonical ?? canonicalSchema, schema);
    const ids = subjects.get(subject) ?? [];
    const known = ids.find((id) => schemas[id - 1] === text);
    if (known !== undefined) return known;
    const versions = ids.map((id) => schemas[id - 1] ?? '');
    const compatible =
      this.#mutation.compatible ?? ((now, before) => fullTransitiveProblems(now, before) === undefined);
    if (!compatible(text, versions)) throw new MillraceError('INCOMPATIBLE_SCHEMA', `${subject} would break.`);
    if (this.#mutation.races) await Promise.resolve();
    schemas.push(text);
    subjects.set(subject, [...ids, schemas.length]);
    return schemas.length;
  }

  async schema(id: number): Promise<string> {
    this.#refuseClosed();
    const text = this.#content.schemas[id - 1];
    if (text === undefined) throw new MillraceError(this.#mutation.unknown ?? 'UNKNOWN_SCHEMA', `No schema ${id}.`);
    return Promise.resolve(this.#mutation.answered?.(text) ?? text);
  }

  async latest(subject: string): Promise<number | undefined> {
    this.#refuseClosed();
    const ids = this.#content.subjects.get(subject) ?? [];
    return Promise.resolve(this.#mutation.newest === undefined ? ids.at(-1) : this.#mutation.newest(ids));
  }

  close(): Promise<void> {
    this.#closed = this.#mutation.staysOpen === undefined;
    return Promise.resolve();
  }

  #refuseClosed(): void {
    if (this.#closed) throw new MillraceError('CLOSED', 'Closed.');
  }
}

function canonicalOrRefused(canonical: (text: string) => string, schema: string): string {
  try {
    return canonical(schema);
  } catch (cause) {
    throw new MillraceError('INVALID_ARGUMENT', 'Not a schema.', { cause });
  }
}

function leniently(text: string): string {
  try {
    return canonicalSchema(text);
  } catch {
    return text;
  }
}

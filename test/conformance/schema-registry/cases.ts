import { expect } from 'vitest';
import { type SchemaRegistry } from '../../../runtime/ports/schema-registry.ts';
import { codeOf, schemaV1, schemaV1Respelt, schemaV2, schemaV3, subjectName } from './schemas.ts';

export interface SchemaRegistryFixture {
  readonly registry: SchemaRegistry;
  /** A second object on the same registry, as another process, or this one after a restart, would have it. */
  reopen(): Promise<SchemaRegistry>;
}

export interface SchemaRegistryCase {
  readonly name: string;
  /** The broken adapter of `mutants.ts` that turns exactly this case red. */
  readonly mutant: string;
  run(fixture: SchemaRegistryFixture): Promise<void>;
}

export const schemaRegistryCases: readonly SchemaRegistryCase[] = [
  {
    name: 'answers the schema that was registered, by its id',
    mutant: 'answers another schema',
    run: async ({ registry }) => {
      const subject = subjectName();
      const id = await registry.register(subject, schemaV1(subject));
      expect(JSON.parse(await registry.schema(id))).toEqual(JSON.parse(schemaV1(subject)));
    },
  },
  {
    name: 'gives the same id to the same schema in another spelling',
    mutant: 'takes the spelling for the schema',
    run: async ({ registry }) => {
      const subject = subjectName();
      const id = await registry.register(subject, schemaV1(subject));
      expect(await registry.register(subject, schemaV1Respelt(subject))).toBe(id);
    },
  },
  {
    name: 'gives compatible versions different ids, and answers the newest',
    mutant: 'answers the oldest version as the newest',
    run: async ({ registry }) => {
      const subject = subjectName();
      const first = await registry.register(subject, schemaV1(subject));
      const second = await registry.register(subject, schemaV2(subject));
      expect(second).not.toBe(first);
      expect(await registry.latest(subject)).toBe(second);
    },
  },
  {
    name: 'refuses a schema that breaks its subject, and keeps the newest version',
    mutant: 'does not compare with the newest version',
    run: async ({ registry }) => {
      const subject = subjectName();
      const first = await registry.register(subject, schemaV1(subject));
      const breaking = schemaV1(subject, [{ name: 'added', type: 'string' }]);
      expect(await codeOf(registry.register(subject, breaking))).toBe('INCOMPATIBLE_SCHEMA');
      expect(await registry.latest(subject)).toBe(first);
    },
  },
  {
    name: 'refuses a schema that agrees with the newest version but breaks an older one',
    mutant: 'compares with the newest version only',
    run: async ({ registry }) => {
      const subject = subjectName();
      await registry.register(subject, schemaV1(subject));
      await registry.register(subject, schemaV2(subject));
      await registry.register(subject, schemaV3(subject));
      const retyped = schemaV1(subject, [{ name: 'unit', type: 'int', default: 0 }]);
      expect(await codeOf(registry.register(subject, retyped))).toBe('INCOMPATIBLE_SCHEMA');
    },
  },
  {
    name: 'says that an unknown id is unknown',
    mutant: 'calls an unknown id unavailable',
    run: async ({ registry }) => {
      expect(await codeOf(registry.schema(2_000_000_000))).toBe('UNKNOWN_SCHEMA');
    },
  },
  {
    name: 'answers undefined for the newest version of an unknown subject',
    mutant: 'makes up a version of an unknown subject',
    run: async ({ registry }) => {
      expect(await registry.latest(subjectName())).toBeUndefined();
    },
  },
  {
    name: 'refuses a text that is no schema',
    mutant: 'takes a text that is no schema',
    run: async ({ registry }) => {
      const subject = subjectName();
      expect(await codeOf(registry.register(subject, '{"type":"record","name":"Broken"}'))).toBe('INVALID_ARGUMENT');
      expect(await codeOf(registry.register(subject, 'not JSON'))).toBe('INVALID_ARGUMENT');
    },
  },
  {
    name: 'keeps ids and versions for the next process',
    mutant: 'forgets at the end of the process',
    run: async ({ registry, reopen }) => {
      const subject = subjectName();
      const id = await registry.register(subject, schemaV1(subject));
      const again = await reopen();
      try {
        expect(await again.schema(id)).toBe(await registry.schema(id));
        expect(await again.latest(subject)).toBe(id);
        expect(await again.register(subject, schemaV1(subject))).toBe(id);
      } finally {
        await again.close();
      }
    },
  },
  {
    name: 'gives one id to the same schema registered many times at once',
    mutant: 'races with itself',
    run: async ({ registry }) => {
      const subject = subjectName();
      const text = schemaV1(subject);
      const ids = await Promise.all(Array.from({ length: 8 }, () => registry.register(subject, text)));
      expect(new Set(ids).size).toBe(1);
    },
  },
  {
    name: 'refuses calls after close, and closes twice without complaint',
    mutant: 'goes on after close',
    run: async ({ reopen }) => {
      const registry = await reopen();
      await registry.close();
      await registry.close();
      expect(await codeOf(registry.latest(subjectName()))).toBe('CLOSED');
    },
  },
];

/** Deliberately broken stores, one for each case. All are SQLite with one thing wrong. */
import { type KyselyPlugin, sql, type UnknownRow } from 'kysely';
import { hasCode, MillraceError } from '../../../runtime/ports/errors.ts';
import type { QueryBatch, QuerySchema, QueryStore, RowChange } from '../../../runtime/ports/query-store.ts';
import { suiteSchema, suiteTables } from './query-store-builders.ts';
import type { OpenStore } from './query-store-harness.ts';
import type { BreakOpening } from './sqlite-harness.ts';
import { crashSource } from './write-forever.ts';

type Change = RowChange & { readonly row?: Readonly<Record<string, string | number | null>>; readonly remove?: object };

type Broken = Partial<Omit<QueryStore, 'database'>> & { database?(): QueryStore['database'] };

/** Stores that differ from the given ones in what `change` answers. */
const stores =
  (change: (store: QueryStore) => Broken): BreakOpening =>
  (open) =>
    (async (schema: never) => {
      const store = (await open(schema)) as unknown as QueryStore;
      const broken = change(store);
      return {
        dialect: store.dialect,
        shared: store.shared,
        get database() {
          return broken.database?.() ?? store.database;
        },
        positions: broken.positions ?? (() => store.positions()),
        write: broken.write ?? ((batch: QueryBatch) => store.write(batch)),
        reset: broken.reset ?? (() => store.reset()),
        close: broken.close ?? (() => store.close()),
      };
    }) as OpenStore;

const batches = (alter: (batch: QueryBatch) => QueryBatch): BreakOpening =>
  stores((store) => ({ write: async (batch) => await store.write(alter(batch)) }));

const changes = (alter: (changes: readonly Change[]) => readonly Change[]): BreakOpening =>
  batches(({ moves, changes: given }) => ({ moves, changes: alter(given) }));

const opening =
  (alter: (schema: QuerySchema, first: QuerySchema) => QuerySchema): BreakOpening =>
  (open) => {
    let first: QuerySchema | undefined;
    return async (schema: QuerySchema = suiteSchema) => {
      first ??= schema;
      return await open(alter(schema, first) as never);
    };
  };

const mapped = (change: Change, value: (given: string | number | null) => string | number | null): Change =>
  change.row === undefined
    ? change
    : {
        ...change,
        row: Object.fromEntries(Object.entries(change.row).map(([name, given]) => [name, value(given)])),
      };

const keyOf = ({ table, row, remove }: Change): string =>
  `${table} ${(suiteTables as QuerySchema['tables'])[table]?.key.map((name) => ({ ...row, ...remove })[name as never]).join()}`;

/** Each row in place of what was there. */
const replacing = (table: string) =>
  changes((given) =>
    given.flatMap((change) =>
      change.table === table && 'set' in change ? [{ table, remove: change.row ?? {} }, change] : [change],
    ),
  );

const sortedAsPeopleDo: KyselyPlugin = {
  transformQuery: ({ node }) => node,
  transformResult: async ({ result }) => ({
    ...result,
    rows: [...result.rows].sort((a: UnknownRow, b: UnknownRow) =>
      typeof a['id'] === 'string' && a['started'] === b['started'] ? a['id'].localeCompare(String(b['id']), 'en') : 0,
    ),
  }),
};

export const mutants: Readonly<Record<string, BreakOpening>> = {
  'cuts integers to 32 bits': changes((given) =>
    given.map((change) => mapped(change, (value) => (Number.isSafeInteger(value) ? (value as number) | 0 : value))),
  ),
  'cuts text behind a NUL': changes((given) =>
    given.map((change) =>
      mapped(change, (value) => (typeof value === 'string' ? (value.split('\0')[0] ?? '') : value)),
    ),
  ),
  'sorts text as people do': stores((store) => ({
    database: () => store.database.withPlugin(sortedAsPeopleDo),
  })),
  'minds no case in LIKE': stores((store) => ({
    write: async (batch) => {
      const { database } = store;
      await store.write(batch);
      await sql`PRAGMA case_sensitive_like = OFF`.execute(database).catch(() => undefined);
    },
  })),
  'takes NaN for zero': changes((given) =>
    given.map((change) => mapped(change, (value) => (Number.isNaN(value) ? 0 : value))),
  ),
  'takes no more than 5,000 changes': batches((batch) => {
    if (batch.changes.length > 5_000) throw new MillraceError('TOO_LARGE', 'too many');
    return batch;
  }),
  'overwrites without being asked': changes((given) =>
    given.map((change) => ('set' in change || change.row === undefined ? change : { ...change, set: 'all' })),
  ),
  'overwrites the whole row': changes((given) =>
    given.map((change) =>
      change.table === 'runs' && 'set' in change && given.length === 1 ? { ...change, set: 'all' } : change,
    ),
  ),
  'applies only the last change of a key': changes((given) => {
    const last = new Map(given.map((change) => [keyOf(change), change]));
    const removed = new Set(given.filter(({ remove }) => remove !== undefined).map(keyOf));
    const exempt = (change: Change): boolean => change.table !== 'runs' || removed.has(keyOf(change));
    return given.filter((change) => exempt(change) || last.get(keyOf(change)) === change);
  }),
  'sets sums instead of adding': (open) => replacing('counts')(open),
  'ignores removals': changes((given) => given.filter(({ remove }) => remove === undefined)),
  'lets the last write win': replacing('latest'),
  'forgets the marks': batches(({ moves, changes: given }) => ({
    moves: moves.map((move) => ({ ...move, marks: '' })),
    changes: given,
  })),
  'writes what comes before the guilty row': stores((store) => ({
    write: async (batch) => {
      try {
        await store.write(batch);
      } catch (error) {
        if (hasCode(error, 'INVALID_ARGUMENT')) await store.write({ moves: [], changes: batch.changes.slice(0, -1) });
        throw error;
      }
    },
  })),
  'believes a writer that is ahead of it': stores((store) => ({
    write: async ({ moves, changes: given }) => {
      if (moves.length === 0) return await store.write({ moves, changes: given });
      const stored = await store.positions();
      const expectedBy = (source: string) => stored.find((position) => position.source === source)?.position;
      await store.write({
        moves: moves.map((move) => {
          const position = expectedBy(move.source);
          return { ...move, expected: (move.expected ?? 0) > (position ?? 0) ? position : move.expected };
        }),
        changes: given,
      });
    },
  })),
  'writes for the sources that have not moved': stores((store) => ({
    write: async (batch) => {
      try {
        await store.write(batch);
      } catch (error) {
        if (!hasCode(error, 'FENCED') || batch.moves.length < 2) throw error;
        const stored = await store.positions();
        const fitting = batch.moves.filter(
          ({ source, expected }) => stored.find((position) => position.source === source)?.position === expected,
        );
        await store.write({ moves: fitting, changes: batch.changes });
        throw error;
      }
    },
  })),
  'compares positions before the transaction': stores((store) => ({
    write: async (batch) => {
      const [first] = batch.moves;
      if (batch.moves.length !== 1 || first === undefined) return await store.write(batch);
      const stored = async () => (await store.positions()).find(({ source }) => source === first.source)?.position;
      if ((await stored()) !== first.expected) throw new MillraceError('FENCED', 'moved');
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
      await store.write({ moves: [{ ...first, expected: await stored() }], changes: batch.changes });
    },
  })),
  'applies a batch in two steps': stores((store) => ({
    write: async ({ moves, changes: given }) => {
      if (given.length !== 400) return await store.write({ moves, changes: given });
      await store.write({ moves, changes: given.slice(0, 200) });
      for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
      await store.write({ moves: [], changes: given.slice(200) });
    },
  })),
  'keeps positions at a reset': stores((store) => ({
    reset: async () => {
      const kept = await store.positions();
      await store.reset();
      await store.write({ moves: kept.map((position) => ({ ...position, expected: undefined })), changes: [] });
    },
  })),
  'forgets everything when it is closed': (open) => {
    return stores((store) => {
      let writing = 0;
      return {
        write: async (batch) => {
          writing += 1;
          await store.write(batch).finally(() => void (writing -= 1));
        },
        close: async () => {
          if (writing === 0) await store.reset().catch(() => undefined);
          await store.close();
        },
      };
    })(open);
  },
  'acknowledges before it writes': stores((store) => {
    let held: QueryBatch | undefined;
    return {
      write: async (batch) => {
        if (batch.moves[0]?.source !== crashSource) return await store.write(batch);
        const before = held;
        held = batch;
        if (before !== undefined) await store.write(before);
      },
    };
  }),
  'keeps the rows of an older version': opening((schema, first) =>
    schema.version === first.version + 1 && schema.tables === first.tables
      ? { ...schema, version: first.version }
      : schema,
  ),
  'keeps tables as they were': opening((schema, first) => ({ ...schema, tables: first.tables })),
  'is emptied by an older version': (open) => {
    let first: QuerySchema | undefined;
    return (async (schema: QuerySchema = suiteSchema) => {
      first ??= schema;
      if (schema.version >= first.version) return await open(schema as never);
      const store = await open(first as never);
      await store.reset();
      return store;
    }) as OpenStore;
  },
  'swallows the writes of an older program': stores((store) => ({
    write: async (batch) => {
      await store.write(batch).catch((error: unknown) => {
        if (!hasCode(error, 'NEWER_FORMAT')) throw error;
      });
    },
  })),
  'goes on after close': stores((store) => {
    const { database } = store;
    return { close: async () => {}, database: () => database };
  }),
};

import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { QueryStore, TableSpecs } from '../ports/query-store.ts';

const pageRows = 5_000;

/** One digest over every row of the given tables, in the order of their keys: the same content, the same digest, on every store. */
export async function tableDigest(store: QueryStore<TableSpecs>, tables: TableSpecs): Promise<string> {
  const digest = createHash('sha256');
  for (const [table, { columns, key }] of Object.entries(tables)) {
    const names = sql.join(Object.keys(columns).map((name) => sql.ref(name)));
    const keys = sql.join(key.map((name) => sql.ref(name)));
    let after: unknown[] | undefined;
    for (;;) {
      const where = after === undefined ? sql`` : sql`WHERE (${keys}) > (${sql.join(after)})`;
      const { rows } = await sql<
        Record<string, unknown>
      >`SELECT ${names} FROM ${sql.table(table)} ${where} ORDER BY ${keys} LIMIT ${sql.lit(pageRows)}`.execute(
        store.database,
      );
      for (const row of rows)
        digest.update(`${table} ${JSON.stringify(Object.keys(columns).map((name) => row[name]))}\n`);
      const last = rows.at(-1);
      if (last === undefined || rows.length < pageRows) break;
      after = key.map((name) => last[name]);
    }
  }
  return digest.digest('hex');
}

/** Registered models and versions as MLflow shows them. */
import type { Kysely } from 'kysely';
import { signatureTag } from '../../../topologies/registry/alias-rules.ts';
import { filled } from '../run-answers.ts';
import type { TrackingRows } from '../tables.ts';
import { sourceOf } from './registered-files.ts';

type Database = Kysely<TrackingRows>;
type ModelRow = TrackingRows['registered_models'];
type VersionRow = TrackingRows['model_versions'];
type Tag = { readonly key: string; readonly value: string };

export async function modelAnswers(database: Database, rows: readonly ModelRow[]): Promise<readonly object[]> {
  if (rows.length === 0) return [];
  const names = rows.map(({ name }) => name);
  const [tags, aliases, versions] = await Promise.all([
    database.selectFrom('registered_model_tags').selectAll().where('name', 'in', names).execute(),
    database.selectFrom('aliases').selectAll().where('name', 'in', names).orderBy('alias').execute(),
    database.selectFrom('model_versions').selectAll().where('name', 'in', names).orderBy('version', 'desc').execute(),
  ]);
  // Newest of each stage.
  const latest = versions.filter(
    (row, index) => versions.findIndex(({ name, stage }) => name === row.name && stage === row.stage) === index,
  );
  const latestShown = await versionAnswers(database, latest);
  return rows.map((row) =>
    filled({
      name: row.name,
      creation_timestamp: row.created_ms,
      last_updated_timestamp: row.updated_ms,
      ...(row.description === '' ? {} : { description: row.description }),
      latest_versions: latestShown.filter((_, index) => latest[index]?.name === row.name),
      tags: tags.filter(({ name }) => name === row.name).map(({ key, value }): Tag => ({ key, value })),
      aliases: aliases
        .filter(({ name }) => name === row.name)
        .map(({ alias, version }) => ({ alias, version: String(version) })),
    }),
  );
}

export async function versionAnswers(database: Database, rows: readonly VersionRow[]): Promise<readonly object[]> {
  if (rows.length === 0) return [];
  const names = [...new Set(rows.map(({ name }) => name))];
  const [tags, aliases] = await Promise.all([
    database.selectFrom('model_version_tags').selectAll().where('name', 'in', names).execute(),
    database.selectFrom('aliases').selectAll().where('name', 'in', names).orderBy('alias').execute(),
  ]);
  const grouped = new Map<string, { tags: Tag[]; aliases: string[] }>();
  const of = (name: string, version: number): { tags: Tag[]; aliases: string[] } => {
    const key = `${name}/${version}`;
    const known = grouped.get(key) ?? { tags: [], aliases: [] };
    grouped.set(key, known);
    return known;
  };
  for (const { name, version, key, value } of tags) {
    // kept for rules of aliases; an MLflow client would meet a tag that nobody has set
    if (key !== signatureTag) of(name, version).tags.push({ key, value });
  }
  for (const { name, version, alias } of aliases) of(name, version).aliases.push(alias);
  return rows.map((row) =>
    filled({
      name: row.name,
      version: String(row.version),
      creation_timestamp: row.created_ms,
      last_updated_timestamp: row.updated_ms,
      user_id: row.user_id,
      current_stage: row.stage,
      ...(row.description === '' ? {} : { description: row.description }),
      source: sourceOf(row),
      run_id: row.run_id,
      run_link: row.run_link,
      ...(row.model_id === '' ? {} : { model_id: row.model_id }),
      status: 'READY',
      ...of(row.name, row.version),
    }),
  );
}

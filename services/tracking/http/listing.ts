/** Folders, which are only parts of the paths of files. */
import type { Kysely } from 'kysely';
import type { TrackingRows } from '../tables.ts';

interface Entry {
  readonly path: string;
  readonly is_dir: boolean;
  readonly file_size?: number;
}

/** What lies directly in a folder (`''`: the root), by name. Paths begin with `shownUnder`. */
export async function directory(
  database: Kysely<TrackingRows>,
  ownerId: string,
  folder: string,
  shownUnder: string,
): Promise<readonly Entry[]> {
  const prefix = folder === '' ? '' : `${folder}/`;
  const shown = (name: string): string => (shownUnder === '' ? name : `${shownUnder}/${name}`);
  const entries: Entry[] = [];
  for (let after = prefix; ; ) {
    const [file] = await filesUnder(database, ownerId, prefix, after, 1);
    if (file === undefined) return entries;
    const rest = file.path.slice(prefix.length);
    const slash = rest.indexOf('/');
    if (slash === -1) {
      entries.push({ path: shown(rest), is_dir: false, file_size: file.size_bytes });
      after = file.path;
    } else {
      const name = rest.slice(0, slash);
      entries.push({ path: shown(name), is_dir: true });
      // The first text behind everything that begins with the folder's name and a slash.
      after = `${prefix}${name}/\u{10ffff}`;
    }
  }
}

/** Files below a folder, by path; `prefix` ends with a slash, or is empty. */
export async function filesUnder(
  database: Kysely<TrackingRows>,
  ownerId: string,
  prefix: string,
  after = prefix,
  limit = 100_000,
): Promise<readonly TrackingRows['artifacts'][]> {
  let query = database
    .selectFrom('artifacts')
    .selectAll()
    .where('owner_id', '=', ownerId)
    .where('path', '>', after)
    .orderBy('path')
    .limit(limit);
  // `0` follows `/`.
  if (prefix !== '') query = query.where('path', '<', `${prefix.slice(0, -1)}0`);
  return await query.execute();
}

export async function fileAt(
  database: Kysely<TrackingRows>,
  ownerId: string,
  path: string,
): Promise<TrackingRows['artifacts'] | undefined> {
  return await database
    .selectFrom('artifacts')
    .selectAll()
    .where('owner_id', '=', ownerId)
    .where('path', '=', path)
    .executeTakeFirst();
}

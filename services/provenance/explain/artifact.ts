import { hashOf, problemOf } from './link.ts';
import type { Walk } from './walk.ts';

/** An artifact by its bytes, which lie in the blob store or, when they are few, in the fact that names them. */
export async function addArtifact(
  { reader, database, links }: Walk,
  hash: string,
  text: string,
  under: number | null,
): Promise<number> {
  const row = await database
    .selectFrom('artifacts')
    .select('inline')
    .where('hash', '=', hash)
    .where('inline', 'is not', null)
    .executeTakeFirst();
  if (row?.inline === undefined || row.inline === null)
    return await reader.addBlob(links, 'artifact', hash, text, under);
  const found = hashOf(Buffer.from(row.inline, 'base64'));
  const problem = problemOf(found === hash ? undefined : `its bytes have hash ${found}`);
  return links.add({ kind: 'artifact', id: hash, text, hash, check: 'sha256 of the bytes', ...problem }, under);
}

/** Sealed files with their seals in a folder: what an auditor takes away, and verifies without the platform. */
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { AuditVerification, Client, Seals } from '../../sdk/client/index.ts';
import { fileOfSeal } from '../../services/audit/seals.ts';
import { sealVerifier } from '../../services/audit/seal-statement.ts';
import { verifySeals } from '../../services/audit/verify-seals.ts';

const sealsFile = 'seals.json';

/** Files that are there already are not fetched again; the seals come last. Answers how many files it has and how many were fetched. */
export async function writeArchive(
  client: Client,
  folder: string,
  progress: (done: number, of: number) => void,
): Promise<{ readonly files: number; readonly fetched: number; readonly seals: Seals }> {
  await mkdir(join(folder, 'files'), { recursive: true });
  const seals = await client.audit.seals();
  const gone = new Set(seals.expired.map(({ topic, partition, sequence }) => `${topic}/${partition}/${sequence}`));
  const there = seals.sealed.filter(({ topic, partition, sequence }) => !gone.has(`${topic}/${partition}/${sequence}`));
  const hashes = [...new Set(there.map((seal) => fileOfSeal(seal, seals.redacted)))];
  let fetched = 0;
  for (const [done, hash] of hashes.entries()) {
    progress(done, hashes.length);
    if ((await stat(pathOf(folder, hash)).catch(() => undefined)) !== undefined) continue;
    await writeWhole(pathOf(folder, hash), await client.audit.file(hash));
    fetched += 1;
  }
  progress(hashes.length, hashes.length);
  await writeWhole(join(folder, sealsFile), Buffer.from(`${JSON.stringify(seals, null, 1)}\n`));
  return { files: hashes.length, fetched, seals };
}

/** @param publicKey PEM of the Ed25519 key that must have signed every seal */
export async function verifyArchive(
  folder: string,
  publicKey: string | undefined,
): Promise<Pick<AuditVerification, 'intact' | 'sealed'>> {
  const text = await readFile(join(folder, sealsFile), 'utf8').catch((cause: unknown) => {
    throw new MillraceError('NOT_FOUND', `there is no ${sealsFile} in ${folder}: 'millrace audit archive' writes one`, {
      cause,
    });
  });
  const sealed = await verifySeals(JSON.parse(text) as Seals, {
    readFile: async (hash) => {
      try {
        return await readFile(pathOf(folder, hash));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },
    ...(publicKey === undefined ? {} : { verifySignature: sealVerifier(publicKey) }),
  });
  return { intact: sealed.every(({ problems }) => problems.length === 0), sealed };
}

const pathOf = (folder: string, hash: string): string => {
  if (!/^[0-9a-f]{64}$/.test(hash)) throw new MillraceError('CORRUPT', `'${hash.slice(0, 80)}' is no sha256 in hex`);
  return join(folder, 'files', `${hash}.jsonl`);
};

/** Whole or not at all. */
async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  await writeFile(`${path}.part`, bytes);
  await rename(`${path}.part`, path);
}

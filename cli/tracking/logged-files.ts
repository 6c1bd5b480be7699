/** Files that a tracked run has logged, in all of its folders. */
import { hasCode } from '../../runtime/ports/errors.ts';
import type { Client } from '../../sdk/client/index.ts';

export interface LoggedFile {
  readonly runId: string;
  readonly path: string;
  readonly sizeBytes: number | null;
}

/** At most `limit`, folder by folder; none where the run is no tracked one. */
export async function loggedFiles(client: Client, runId: string, limit: number): Promise<readonly LoggedFile[]> {
  const files: LoggedFile[] = [];
  const folders: (string | undefined)[] = [undefined];
  for (let folder = 0; folder < folders.length && files.length < limit; folder++) {
    for (const { path, isFolder, sizeBytes } of await entries(client, runId, folders[folder])) {
      if (isFolder) folders.push(path);
      else files.push({ runId, path, sizeBytes });
    }
  }
  return files.slice(0, limit);
}

/** NOT_FOUND when there is no such run, of a flow or tracked: it has not just no artifacts. */
export async function mustExist(client: Client, runId: string): Promise<void> {
  try {
    await client.tracking.run(runId);
  } catch (error) {
    if (!hasCode(error, 'NOT_FOUND')) throw error;
    await client.runs.show(runId);
  }
}

async function entries(client: Client, runId: string, folder: string | undefined) {
  try {
    return await client.tracking.artifacts(runId, folder);
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND')) return [];
    throw error;
  }
}

/** Names of a task's keys. They share the hash tag `{prefix:task}`, so they lie in one slot of a cluster. */
export interface TaskKeys {
  readonly meta: string;
  readonly values: string;
  readonly keys: string;
  /** Images of a running snapshot, and their keys. */
  imagesOf(snapshot: string): readonly [string, string];
  /** Values and keys that a restore writes, before they take the place of the task's. */
  restoredOf(restore: string): readonly [string, string];
}

export function taskKeys(prefix: string, task: string): TaskKeys {
  const tag = `${startOfTag(prefix)}${task}}`;
  return {
    meta: `${tag}${metaEnd}`,
    values: `${tag}:values`,
    keys: `${tag}:keys`,
    imagesOf: (snapshot) => [`${tag}:snapshot:${snapshot}:images`, `${tag}:snapshot:${snapshot}:keys`],
    restoredOf: (restore) => [`${tag}:restore:${restore}:values`, `${tag}:restore:${restore}:keys`],
  };
}

/** A pattern (of SCAN) for the meta keys of all tasks; a prefix has no character that means something in a pattern. */
export const metaPattern = (prefix: string): string => `${startOfTag(prefix)}*}${metaEnd}`;

export const taskOfMeta = (prefix: string, meta: string): string =>
  meta.slice(startOfTag(prefix).length, -metaEnd.length - 1);

const metaEnd = ':meta';
const startOfTag = (prefix: string): string => `{${prefix}:`;

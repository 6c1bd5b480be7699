/** Names of checkpoints become paths below a folder, so each part is plain. */
export function isCheckpointName(name: string): boolean {
  return name.length <= 200 && name.split('/').every((part) => /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(part));
}

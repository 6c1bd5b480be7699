/**
 * A stamp is the `ce_id` of a fold's output: `<topology>/<input partition>.<branch>/<output topic>/<output partition>/<ordinal>`.
 * The first two parts are the origin. Ordinals are dense per origin and output partition, starting at 1, so a receiver sees
 * repeats and gaps. The branch grows when an origin was rebuilt from a point behind what it had already said.
 * Ids that services derive never contain a slash.
 */
export interface Stamp {
  /** `<topology>/<input partition>`. */
  readonly origin: string;
  readonly branch: number;
  readonly ordinal: number;
}

export function stampPrefix(origin: string, branch: number, topic: string, partition: number): string {
  return `${origin}.${branch}/${topic}/${partition}/`;
}

/** undefined when the id is no stamp. */
export function parseStamp(id: string): Stamp | undefined {
  const first = id.indexOf('/');
  if (first < 0) return undefined;
  const second = id.indexOf('/', first + 1);
  const last = id.lastIndexOf('/');
  const dot = id.indexOf('.', first + 1);
  if (second < 0 || last <= second || dot < 0 || dot > second) return undefined;
  const branch = Number(id.slice(dot + 1, second));
  const ordinal = Number(id.slice(last + 1));
  if (!Number.isSafeInteger(branch) || !Number.isSafeInteger(ordinal) || ordinal < 1) return undefined;
  return { origin: id.slice(0, dot), branch, ordinal };
}

/** Which of two stamps of one origin was said first: negative when `a` was. */
export function compareStamps(a: Stamp, b: Stamp): number {
  return a.branch - b.branch || a.ordinal - b.ordinal;
}

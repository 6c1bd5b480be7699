/** Scripts answer with buffers, in arrays. */
export const buffersOf = (answer: unknown): readonly Buffer[] =>
  Array.isArray(answer) ? answer.filter((item): item is Buffer => Buffer.isBuffer(item)) : [];

export const textsOf = (answer: unknown): readonly string[] => buffersOf(answer).map((item) => item.toString('latin1'));

/** From key and value by turns. */
export function entriesOf(turns: readonly Buffer[]): (readonly [key: string, value: Buffer])[] {
  const entries: (readonly [string, Buffer])[] = [];
  for (let at = 0; at + 1 < turns.length; at += 2) {
    const key = turns[at];
    const value = turns[at + 1];
    if (key !== undefined && value !== undefined) entries.push([key.toString('latin1'), value]);
  }
  return entries;
}

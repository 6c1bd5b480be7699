/** Work and outcomes as JSON between a worker and a pod; bytes travel as `{"$bytes": base64}`. */

export function toJson(value: unknown): string {
  return JSON.stringify(value, function (this: Record<string, unknown>, key: string, said: unknown) {
    // a Buffer has become something else by now: look at what was there before
    const before = this[key];
    return before instanceof Uint8Array ? { $bytes: Buffer.from(before).toString('base64') } : said;
  });
}

/** Throws a SyntaxError when it is no JSON; the shape is for the caller to check. */
export function fromJson(text: string): unknown {
  return JSON.parse(text, (_, value: unknown) => {
    if (typeof value !== 'object' || value === null || !('$bytes' in value)) return value;
    return typeof value.$bytes === 'string' ? Buffer.from(value.$bytes, 'base64') : value;
  });
}

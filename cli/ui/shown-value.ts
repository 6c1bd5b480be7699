/** What a value of an artifact looks like as JSON, which knows less than artifacts do. */

/**
 * Bytes as their number: a terminal shows no more of them. Typed arrays and sets as lists, a map with text keys as an object, else as pairs;
 * what is no number of JSON (bigint, NaN, infinities) as a text.
 */
export function shownValue(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as Iterable<unknown>, shownValue);
  if (Array.isArray(value)) return value.map(shownValue);
  if (value instanceof Set) return [...value].map(shownValue);
  if (value instanceof Map) {
    const pairs = [...value].map(([key, item]) => [key, shownValue(item)] as const);
    return pairs.every(([key]) => typeof key === 'string') ? Object.fromEntries(pairs) : pairs.map(pairShown);
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shownValue(item)]));
}

function pairShown([key, item]: readonly [unknown, unknown]): readonly [unknown, unknown] {
  return [shownValue(key), item];
}

/** A value in an error message: as JSON, cut after 80 characters. */
export function shownValue(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 80);
}

/** An object that is no list. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

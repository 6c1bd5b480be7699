/** A point in time as a caller writes it: milliseconds since the epoch, or ISO 8601. undefined when it is neither. */
export function parseTime(text: string): number | undefined {
  const ms = /^\d{1,16}$/.test(text) ? Number(text) : Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

import type { PredictionCompleted } from '../../schemas/events.ts';

/**
 * Whether two outcomes of one request say the same. Numbers may differ in their last bits: a model runtime rounds by what else is in
 * the batch, and a batch that is taken again after a crash is cut differently.
 */
export function isSameOutcome(a: PredictionCompleted, b: PredictionCompleted): boolean {
  if (a.inputDigest !== b.inputDigest || a.outputs.length !== b.outputs.length) return false;
  return a.outputs.every((output, index) => {
    const other = b.outputs[index];
    return other !== undefined && isSame(output, other);
  });
}

function isSame(a: unknown, b: unknown): boolean {
  if (typeof a === 'number' && typeof b === 'number' && !(Number.isInteger(a) && Number.isInteger(b)))
    return Object.is(a, b) || Math.abs(a - b) <= 1e-6 + 1e-5 * Math.max(Math.abs(a), Math.abs(b));
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const [mine, theirs] = [Object.entries(a), Object.entries(b)];
  return (
    mine.length === theirs.length &&
    mine.every(([name, value]) => isSame(value, (b as Readonly<Record<string, unknown>>)[name]))
  );
}

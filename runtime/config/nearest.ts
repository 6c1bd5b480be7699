/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** What was meant by a name that is not known; undefined when nothing is within `distanceMax` edits. */
export function nearest(name: string, known: Iterable<string>, distanceMax: number): string | undefined {
  let found: { readonly name: string; readonly distance: number } | undefined;
  for (const other of known) {
    const distance = editDistance(name, other);
    if (distance <= distanceMax && distance < (found?.distance ?? Number.POSITIVE_INFINITY))
      found = { name: other, distance };
  }
  return found?.name;
}

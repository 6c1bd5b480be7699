/** Ids and texts come from outsiders. Control characters are not allowed in XML at all. */
export function escaped(value: string): string {
  return value
    .replace(/[^\t\n\x20-\ud7ff\ue000-\ufffd]/g, '�')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** A row of RFC 4180: fields with commas, quotes or line breaks in quotes. */
export function csvRow(fields: readonly (string | number)[]): string {
  return fields.map((field) => quoted(String(field))).join(',');
}

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

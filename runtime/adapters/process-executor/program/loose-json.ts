/** JSON as other languages write it: Python's `json`, for one, says NaN and Infinity. */
export function parseLooseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (!/NaN|Infinity/.test(text)) throw error;
    // outside of texts these words are numbers; the mark is one that no JSON text can hold by accident
    const marked = text.replace(/"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g, (word) =>
      word.startsWith('"') ? word : `"${mark}${word}"`,
    );
    return JSON.parse(marked, (_, value: unknown) =>
      typeof value === 'string' && value.startsWith(mark) ? Number(value.slice(mark.length)) : value,
    ) as unknown;
  }
}

const mark = '\u{10fffe}millrace:';

/** Whether Python's `float()` reads a text. */
export function isPythonFloat(text: string): boolean {
  return /^\s*[+-]?(\d[\d_]*\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$|^\s*[+-]?(inf(inity)?|nan)\s*$/i.test(text);
}

import { messageOf } from '../../ports/index.ts';

/** What the runtime says, without the places of its own source files. */
export function runtimeMessage(error: unknown): string {
  const text = messageOf(error)
    .replace(/^\S*\/\S+:\d+ .*?\) (?=[A-Z])/s, '')
    .replace(/\S*\/onnxruntime\/\S+/g, '')
    .replace(/\s+/g, ' ')
    .trim();
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
}

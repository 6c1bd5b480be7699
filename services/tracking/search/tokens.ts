/** Filters and orders as tokens. */
import { MillraceError } from '../../../runtime/ports/errors.ts';

export interface Token {
  /** `name` is bare, `quoted` stands in backticks or double quotes, `text` in single quotes; `end` closes every list. */
  readonly type: 'name' | 'quoted' | 'text' | 'number' | 'operator' | 'end';
  /** Without its quotes. */
  readonly text: string;
  readonly at: number;
}

const charactersMax = 20_000;
const patterns: readonly (readonly [Token['type'], RegExp])[] = [
  ['text', /'(?:[^']|'')*'/y],
  ['quoted', /`[^`]*`|"(?:[^"]|"")*"/y],
  ['number', /[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])/y],
  ['name', /[\p{L}_][\p{L}\p{N}_./-]*/uy],
  ['operator', /<=|>=|!=|<>|==|[=<>(),]/y],
];

/** INVALID_ARGUMENT names the place. */
export function tokensOf(source: string): readonly Token[] {
  if (source.length > charactersMax) throw invalid(`it has ${source.length} characters, more than ${charactersMax}`);
  const tokens: Token[] = [];
  for (let at = 0; at < source.length; ) {
    if (/\s/.test(source.charAt(at))) {
      at += 1;
      continue;
    }
    const token = tokenAt(source, at);
    if (token === undefined)
      throw invalid(`character ${at + 1} begins nothing that is known: ${source.slice(at, at + 20)}`);
    tokens.push(token.token);
    at = token.next;
  }
  tokens.push({ type: 'end', text: '', at: source.length });
  return tokens;
}

function tokenAt(source: string, at: number): { readonly token: Token; readonly next: number } | undefined {
  for (const [type, pattern] of patterns) {
    pattern.lastIndex = at;
    const found = pattern.exec(source)?.[0];
    if (found === undefined) continue;
    return { token: { type, text: unquoted(type, found), at }, next: at + found.length };
  }
  return undefined;
}

function unquoted(type: Token['type'], found: string): string {
  if (type === 'text') return found.slice(1, -1).replaceAll("''", "'");
  if (type === 'quoted') return found.startsWith('"') ? found.slice(1, -1).replaceAll('""', '"') : found.slice(1, -1);
  return found;
}

export function invalid(problem: string): MillraceError {
  return new MillraceError('INVALID_ARGUMENT', `Invalid filter or order: ${problem}`);
}

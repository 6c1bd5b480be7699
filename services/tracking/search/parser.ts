/**
 * The search language: MLflow's (`mlflow/utils/search_utils.py`), and beyond it OR and brackets.
 *
 *   filter     = any; any = all {OR all}; all = one {AND one}; one = '(' any ')' | comparison
 *   comparison = key operator value | key IS [NOT] NULL | key [NOT] IN '(' text {',' text} ')'
 *   key        = name ['.' (name | quoted)]; bare names may hold dots, so `tags.mlflow.runName` needs no quotes
 *   order      = key [ASC | DESC]
 */
import { invalid, type Token, tokensOf } from './tokens.ts';

export type Filter =
  | { readonly type: 'all' | 'any'; readonly of: readonly Filter[] }
  | { readonly type: 'comparison'; readonly key: Key; readonly operator: Operator; readonly value: FilterValue };

export interface Key {
  /** What stands before the first dot, when it is one of the entities that the domain knows; '' for an attribute without it. */
  readonly entity: string;
  readonly name: string;
}

export type Operator =
  | '='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | 'like'
  | 'ilike'
  | 'in'
  | 'not in'
  | 'is null'
  | 'is not null';
/** null for IS NULL and IS NOT NULL. */
export type FilterValue = string | number | readonly string[] | null;

export interface Order {
  readonly key: Key;
  readonly descending: boolean;
}

const depthMax = 40;
const comparisonsMax = 200;

/** undefined for a filter of nothing but blanks. INVALID_ARGUMENT says what was expected and where. */
export function parseFilter(source: string, entities: ReadonlySet<string>): Filter | undefined {
  const parser = new Parser(source, entities);
  if (parser.atEnd()) return undefined;
  const filter = parser.any(0);
  parser.expectEnd();
  return filter;
}

export function parseOrder(source: string, entities: ReadonlySet<string>): Order {
  const parser = new Parser(source, entities);
  const key = parser.key();
  const descending = parser.word('desc');
  if (!descending) parser.word('asc');
  parser.expectEnd();
  return { key, descending };
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #entities: ReadonlySet<string>;
  #next = 0;
  #comparisons = 0;

  constructor(source: string, entities: ReadonlySet<string>) {
    this.#tokens = tokensOf(source);
    this.#entities = entities;
  }

  atEnd(): boolean {
    return this.#peek().type === 'end';
  }

  expectEnd(): void {
    if (!this.atEnd()) throw this.#unexpected('AND, OR or the end');
  }

  any(depth: number): Filter {
    if (depth > depthMax) throw invalid(`brackets are nested deeper than ${depthMax}`);
    const of = [this.#all(depth)];
    while (this.word('or')) of.push(this.#all(depth));
    return of.length === 1 ? (of[0] as Filter) : { type: 'any', of };
  }

  #all(depth: number): Filter {
    const of = [this.#one(depth)];
    while (this.word('and')) of.push(this.#one(depth));
    return of.length === 1 ? (of[0] as Filter) : { type: 'all', of };
  }

  #one(depth: number): Filter {
    if (!this.#operator('(')) return this.#comparison();
    const inner = this.any(depth + 1);
    if (!this.#operator(')')) throw this.#unexpected("')'");
    return inner;
  }

  #comparison(): Filter {
    this.#comparisons += 1;
    if (this.#comparisons > comparisonsMax) throw invalid(`it has more than ${comparisonsMax} comparisons`);
    const key = this.key();
    if (this.word('is')) {
      const operator = this.word('not') ? 'is not null' : 'is null';
      if (!this.word('null')) throw this.#unexpected('NULL');
      return { type: 'comparison', key, operator, value: null };
    }
    const negated = this.word('not');
    if (this.word('in')) return { type: 'comparison', key, operator: negated ? 'not in' : 'in', value: this.#list() };
    if (negated) throw this.#unexpected('IN');
    return { type: 'comparison', key, operator: this.#comparator(), value: this.#value() };
  }

  key(): Key {
    const token = this.#take();
    if (token.type === 'quoted') return { entity: '', name: token.text };
    if (token.type !== 'name') throw this.#unexpected('a key such as metrics.rmse', token);
    if (token.text.endsWith('.')) {
      const name = this.#take();
      if (name.type !== 'quoted') throw this.#unexpected(`a key after '${token.text}'`, name);
      return { entity: this.#entity(token.text.slice(0, -1), token), name: name.text };
    }
    const dot = token.text.indexOf('.');
    if (dot === -1) return { entity: '', name: token.text };
    return { entity: this.#entity(token.text.slice(0, dot), token), name: token.text.slice(dot + 1) };
  }

  /** Takes the keyword when it is next. */
  word(keyword: string): boolean {
    const { type, text } = this.#peek();
    if (type !== 'name' || text.toLowerCase() !== keyword) return false;
    this.#next += 1;
    return true;
  }

  #entity(name: string, token: Token): string {
    if (this.#entities.has(name.toLowerCase())) return name.toLowerCase();
    throw this.#unexpected(`one of ${[...this.#entities].join(', ')} before the first dot`, token);
  }

  #comparator(): Operator {
    const token = this.#take();
    if (token.type === 'operator') {
      if (token.text === '<>') return '!=';
      if (['=', '!=', '<', '<=', '>', '>='].includes(token.text)) return token.text as Operator;
    }
    const word = token.text.toLowerCase();
    if (token.type === 'name' && (word === 'like' || word === 'ilike')) return word;
    throw this.#unexpected('one of = != < <= > >= LIKE ILIKE IN IS', token);
  }

  #value(): string | number {
    const token = this.#take();
    if (token.type === 'text' || token.type === 'quoted') return token.text;
    if (token.type === 'number') return Number(token.text);
    throw this.#unexpected('a number, or a text in single quotes', token);
  }

  #list(): readonly string[] {
    if (!this.#operator('(')) throw this.#unexpected("'(' behind IN");
    const values: string[] = [];
    do {
      const token = this.#take();
      if (token.type !== 'text' && token.type !== 'quoted') throw this.#unexpected('a text in single quotes', token);
      values.push(token.text);
    } while (this.#operator(','));
    if (!this.#operator(')')) throw this.#unexpected("',' or ')'");
    return values;
  }

  #operator(text: string): boolean {
    const token = this.#peek();
    if (token.type !== 'operator' || token.text !== text) return false;
    this.#next += 1;
    return true;
  }

  #peek(): Token {
    return this.#tokens[this.#next] as Token;
  }

  #take(): Token {
    const token = this.#peek();
    if (token.type !== 'end') this.#next += 1;
    return token;
  }

  #unexpected(wanted: string, token = this.#peek()): Error {
    const got = token.type === 'end' ? 'the end' : `'${token.text.slice(0, 40)}'`;
    return invalid(`expected ${wanted} at character ${token.at + 1}, got ${got}`);
  }
}

/**
 * Pages by key, not by number: a token says behind which row the next page begins, so pages stay right while rows are written, and the
 * last page costs what the first one does.
 */
import { type RawBuilder, sql, type SqlBool } from 'kysely';
import { MillraceError } from '../../../runtime/ports/errors.ts';
import type { OrderColumn } from './conditions.ts';

export interface Sorted extends OrderColumn {
  readonly descending: boolean;
}

type Place = readonly (string | number)[];

/** Rows that have a value for the first order, or those that lack one; 'all' asks the database for both at once. */
export type Part = 'all' | 'present' | 'missing';

interface Plain {
  /** The same for all rows of the part: no reason to sort. */
  readonly constant?: true;
  readonly value: RawBuilder<unknown>;
  readonly type: 'text' | 'number';
  readonly descending: boolean;
}

/** An order without equals: what is missing comes last, in either direction. */
export class Paging {
  readonly #terms: readonly Plain[];
  readonly #name: string;
  readonly #after: Place | undefined;
  readonly #part: Part;

  /** INVALID_ARGUMENT for a token of another search. `name` tells searches apart. */
  constructor(sorted: readonly Sorted[], name: string, token: string, part: Part = 'all') {
    this.#part = part;
    this.#terms = sorted.flatMap((one, index) => (index > 0 || part === 'all' ? plain(one) : partly(one, part)));
    this.#name = name;
    this.#after = token === '' ? undefined : this.#placeOf(token);
  }

  /** Columns `o0`, `o1`, … for {@link next}. */
  columns(): RawBuilder<unknown> {
    return sql.join(this.#terms.map(({ value }, index) => sql`${value} as ${sql.ref(`o${index}`)}`));
  }

  /** Whether the token lies behind all rows of the part. */
  get passed(): boolean {
    return this.#part === 'present' && this.#after?.[0] === 1;
  }

  order(): RawBuilder<unknown> {
    const terms = this.#terms.filter(({ constant }) => constant !== true);
    return sql.join(terms.map(({ value, descending }) => sql`${value} ${sql.raw(descending ? 'desc' : 'asc')}`));
  }

  /** Rows behind the token. */
  condition(): RawBuilder<SqlBool> {
    const after = this.#after;
    if (after === undefined || (this.#part === 'missing' && after[0] === 0)) return sql<SqlBool>`1 = 1`;
    const terms = this.#terms
      .map((term, index) => ({ ...term, after: after[index] }))
      .filter(({ constant }) => constant !== true)
      .map((term) => ({
        ...term,
        at: term.type === 'number' ? sql`cast(${term.after} as double precision)` : sql`${term.after}`,
      }));
    const beyond = terms.map(({ value, descending, at }, index) => {
      const equal = terms.slice(0, index).map((term) => sql`${term.value} = ${term.at}`);
      return sql`(${sql.join([...equal, sql`${value} ${sql.raw(descending ? '<' : '>')} ${at}`], sql` and `)})`;
    });
    const [first] = terms;
    // Said again for the first column alone, so that an index may begin there.
    const bound =
      first === undefined ? sql`1 = 1` : sql`${first.value} ${sql.raw(first.descending ? '<=' : '>=')} ${first.at}`;
    return sql<SqlBool>`${bound} and (${sql.join(beyond, sql` or `)})`;
  }

  /** Cuts the one row too many that was asked for, and makes the token of the next page of it; '' on the last one. */
  page<R>(rows: readonly R[], max: number): { readonly rows: readonly R[]; readonly token: string } {
    if (rows.length <= max) return { rows, token: '' };
    const last = rows[max - 1] as Record<string, string | number>;
    const place = this.#terms.map((_, index) => last[`o${index}`]);
    return {
      rows: rows.slice(0, max),
      token: Buffer.from(JSON.stringify([this.#name, ...place])).toString('base64url'),
    };
  }

  #placeOf(token: string): Place {
    try {
      const parsed: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
      if (Array.isArray(parsed) && parsed.length === this.#terms.length + 1 && parsed[0] === this.#name) {
        const place = parsed.slice(1) as unknown[];
        const fits = this.#terms.every(
          ({ type }, index) => typeof place[index] === (type === 'text' ? 'string' : 'number'),
        );
        if (fits) return place as Place;
      }
    } catch {
      // Said below.
    }
    throw new MillraceError('INVALID_ARGUMENT', 'Invalid page_token: take the next_page_token of the same search');
  }
}

/** The same terms as those of {@link plain}, where it is known whether there is a value. */
function partly({ value, type, descending }: Sorted, part: 'present' | 'missing'): readonly Plain[] {
  const here = part === 'present';
  const filler = type === 'number' ? sql`0` : sql`''`;
  return [
    { value: here ? sql`0` : sql`1`, type: 'number', descending: false, constant: true },
    { value: here ? value : filler, type, descending, ...(here ? {} : { constant: true as const }) },
  ];
}

function plain({ value, type, nullable, descending }: Sorted): readonly Plain[] {
  if (!nullable) return [{ value, type, descending }];
  const filler = type === 'number' ? sql`0` : sql`''`;
  return [
    { value: sql`case when ${value} is null then 1 else 0 end`, type: 'number', descending: false },
    { value: sql`coalesce(${value}, ${filler})`, type, descending },
  ];
}

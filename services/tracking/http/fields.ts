/**
 * Fields of a call, from its JSON body or its query, read as MLflow's server reads them: what is unknown is ignored, whole numbers may be
 * texts, and not-a-number and the infinities are the texts `NaN`, `Infinity` and `-Infinity`. INVALID_ARGUMENT names the field.
 */
import { invalidArgument, type MillraceError } from '../../../runtime/ports/errors.ts';

export class Fields {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #where: string;

  constructor(values: unknown, where = '') {
    if (values !== undefined && values !== null && (typeof values !== 'object' || Array.isArray(values))) {
      throw invalidArgument(`${where === '' ? 'The body' : where} must be a JSON object`);
    }
    this.#values = (values ?? {}) as Readonly<Record<string, unknown>>;
    this.#where = where;
  }

  all(): Readonly<Record<string, unknown>> {
    return this.#values;
  }

  has(name: string): boolean {
    return this.#own(name) !== undefined;
  }

  /** Never empty. */
  text(name: string): string {
    const value = this.optional(name);
    if (value === undefined || value === '')
      throw invalidArgument(`Missing value for required parameter '${this.#named(name)}'.`);
    return value;
  }

  optional(name: string): string | undefined {
    const value = this.#own(name);
    if (value === undefined || typeof value === 'string') return value;
    throw this.#wrong(name, 'a text', value);
  }

  integer(name: string): number | undefined {
    const value = this.#own(name);
    if (value === undefined) return undefined;
    const number = typeof value === 'string' && /^-?\d{1,16}$/.test(value) ? Number(value) : value;
    if (Number.isSafeInteger(number)) return number as number;
    throw this.#wrong(name, 'a whole number of 53 bits', value);
  }

  double(name: string): number {
    const value = this.#own(name);
    if (value === undefined) throw invalidArgument(`Missing value for required parameter '${this.#named(name)}'.`);
    if (typeof value === 'number') return value;
    if (value === 'NaN') return Number.NaN;
    if (value === 'Infinity' || value === '-Infinity') return Number(value);
    if (typeof value === 'string' && /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(value)) return Number(value);
    throw this.#wrong(name, 'a number', value);
  }

  flag(name: string): boolean {
    const value = this.#own(name);
    if (value === undefined) return false;
    if (typeof value === 'boolean') return value;
    if (value === 'true' || value === 'false') return value === 'true';
    throw this.#wrong(name, 'true or false', value);
  }

  /** A query with one value of a list has no list. */
  texts(name: string): readonly string[] {
    const value = this.#own(name);
    if (value === undefined) return [];
    const list: readonly unknown[] = Array.isArray(value) ? value : [value];
    for (const item of list) if (typeof item !== 'string') throw this.#wrong(name, 'a list of texts', value);
    return list as readonly string[];
  }

  objects(name: string): readonly Fields[] {
    const value = this.#own(name);
    if (value === undefined) return [];
    if (!Array.isArray(value)) throw this.#wrong(name, 'a list', value);
    return value.map((item, index) => {
      if (typeof item !== 'object' || item === null) throw this.#wrong(name, 'a list of objects', item);
      return new Fields(item, `${this.#named(name)}[${index}]`);
    });
  }

  object(name: string): Fields {
    return new Fields(this.#own(name), this.#named(name));
  }

  /** How many of a list; `max` when nothing is said and `otherwise` is left out. */
  maxResults(otherwise: number, max: number): number {
    const asked = this.integer('max_results') ?? otherwise;
    if (asked < 1 || asked > max) {
      throw invalidArgument(`Invalid value ${asked} for parameter 'max_results': it must be between 1 and ${max}`);
    }
    return asked;
  }

  #own(name: string): unknown {
    const value = Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
    return value === null ? undefined : value;
  }

  #named(name: string): string {
    return this.#where === '' ? name : `${this.#where}.${name}`;
  }

  #wrong(name: string, wanted: string, value: unknown): MillraceError {
    const got = JSON.stringify(value)?.slice(0, 80) ?? String(value);
    return invalidArgument(`Invalid value ${got} for parameter '${this.#named(name)}': it must be ${wanted}`);
  }
}

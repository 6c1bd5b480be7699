/**
 * Cards: pages that a step makes about itself. They can be looked at while it runs, and afterwards for every attempt. Nothing here throws: what
 * cannot be shown is shown as an error.
 */
import { messageOf } from '../../runtime/ports/errors.ts';
import { describeThrown } from '../../runtime/ports/thrown.ts';

/** One thing on a card, as data. `services/gateway/cards` draws it. */
export type CardComponent =
  | { readonly type: 'markdown'; readonly text: string }
  | { readonly type: 'table'; readonly columns: readonly string[]; readonly rows: readonly (readonly unknown[])[] }
  | { readonly type: 'image'; readonly mediaType: string; readonly base64: string; readonly alt: string }
  | { readonly type: 'chart'; readonly spec: object }
  | { readonly type: 'progress'; readonly label: string; readonly value: number; readonly max: number }
  | { readonly type: 'artifact'; readonly name: string; readonly text: string }
  | { readonly type: 'json'; readonly value: unknown }
  | { readonly type: 'error'; readonly message: string; readonly stack: string };

/** Makers of what goes onto a card. */
export const card = {
  markdown: (text: string): CardComponent => ({ type: 'markdown', text }),
  /** Rows as objects; the columns are the names of the first one. */
  table: (rows: readonly Readonly<Record<string, unknown>>[]): CardComponent =>
    orError('a table takes a list of objects', () => {
      const columns = Object.keys(rows[0] ?? {});
      return { type: 'table', columns, rows: rows.map((row) => columns.map((column) => row[column])) };
    }),
  /** Bytes of a PNG, JPEG, GIF, WebP or SVG. */
  image: (
    bytes: Uint8Array,
    { mediaType = 'image/png', alt = '' }: { readonly mediaType?: string; readonly alt?: string } = {},
  ): CardComponent =>
    orError("an image takes the file's bytes", () => {
      return { type: 'image', mediaType, base64: Buffer.from(bytes).toString('base64'), alt };
    }),
  /**
   * A chart in Vega-Lite: `data.values`, `mark` (line, area, bar, point, rule, tick), `encoding` of x, y, color; `layer`. See docs/flows.md.
   */
  chart: (spec: object): CardComponent => ({ type: 'chart', spec }),
  progress: (label: string, value: number, max = 1): CardComponent => ({ type: 'progress', label, value, max }),
  /** A value as a person reads it. */
  artifact: (name: string, value: unknown): CardComponent => ({ type: 'artifact', name, text: described(value) }),
  json: (value: unknown): CardComponent => ({ type: 'json', value }),
  error: (error: unknown): CardComponent => errorComponent(error),
} as const;

export interface Cards {
  /** Onto the step's own card. The answer puts another component in the place of this one: `bar.update(card.progress(…))`. */
  append(component: CardComponent): Appended;
  /** A further card of that name. */
  named(name: string): Pick<Cards, 'append'>;
}

export interface Appended {
  update(component: CardComponent): void;
}

const ownName = 'card';
const sayEveryMs = 250;
const documentBytesMax = 4 * 1024 * 1024;
const cardsMax = 16;

/** The cards of one attempt. `say` hears a card's document each time that it changed, four times a second at most. */
export class StepCards implements Cards {
  readonly #say: (name: string, document: string) => void;
  readonly #cards = new Map<string, CardComponent[]>();
  readonly #changed = new Set<string>();
  #saidMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(say: (name: string, document: string) => void) {
    this.#say = say;
  }

  append(component: CardComponent): Appended {
    return this.#append(ownName, component);
  }

  named(name: string): Pick<Cards, 'append'> {
    const fit = name.replaceAll(/[^A-Za-z0-9_-]/g, '-').slice(0, 64);
    return { append: (component) => this.#append(fit === '' ? ownName : fit, component) };
  }

  /** Says what is left to say. With the failure of the step, which goes onto its cards. */
  end(failure?: { readonly error: unknown }): void {
    clearTimeout(this.#timer);
    if (failure !== undefined) for (const name of this.#cards.keys()) this.#append(name, errorComponent(failure.error));
    clearTimeout(this.#timer);
    this.#flush();
  }

  #append(name: string, component: CardComponent): Appended {
    if (!this.#cards.has(name) && this.#cards.size >= cardsMax) return { update: () => undefined };
    const components = this.#cards.get(name) ?? [];
    this.#cards.set(name, components);
    const at = components.push(component) - 1;
    this.#soon(name);
    return {
      update: (other) => {
        components[at] = other;
        this.#soon(name);
      },
    };
  }

  #soon(name: string): void {
    this.#changed.add(name);
    // a step that never yields lets no timer fire
    if (performance.now() - this.#saidMs >= sayEveryMs) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), sayEveryMs).unref();
  }

  #flush(): void {
    this.#timer = undefined;
    this.#saidMs = performance.now();
    for (const name of this.#changed) this.#say(name, documentOf(name, this.#cards.get(name) ?? []));
    this.#changed.clear();
  }
}

/** JSON of a card; what has none, or is too big, is an error on it. */
function documentOf(name: string, components: readonly CardComponent[]): string {
  let bytes = 0;
  const texts = components.map((component) => {
    let text: string;
    try {
      text = JSON.stringify(component, shown);
      bytes += text.length;
      if (bytes <= documentBytesMax) return text;
      bytes -= text.length;
      text = JSON.stringify(errorComponent(new Error(`a card holds ${documentBytesMax} bytes: this is too much`)));
    } catch (error) {
      text = JSON.stringify(errorComponent(error));
    }
    bytes += text.length;
    return text;
  });
  return `{"format":1,"name":${JSON.stringify(name)},"components":[${texts.join(',')}]}`;
}

function shown(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

function orError(takes: string, make: () => CardComponent): CardComponent {
  try {
    return make();
  } catch (error) {
    return errorComponent(new Error(`${takes}: ${messageOf(error)}`));
  }
}

function errorComponent(error: unknown): CardComponent {
  if (!(error instanceof Error)) return { type: 'error', message: String(error), stack: '' };
  const { message, stack } = describeThrown(error);
  return { type: 'error', message, stack };
}

function described(value: unknown): string {
  try {
    if (ArrayBuffer.isView(value)) return `${value.constructor.name} of ${value.byteLength} bytes`;
    return (typeof value === 'string' ? value : (JSON.stringify(value, shown, 2) ?? String(value))).slice(0, 20_000);
  } catch (error) {
    return `cannot be shown: ${messageOf(error)}`;
  }
}

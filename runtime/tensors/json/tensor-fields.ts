/** Name, datatype and shape of a tensor in an infer request. */
import { tensorError } from '../tensor-errors.ts';
import { type Datatype, datatypes, MillraceError } from '../../ports/index.ts';

export function nameOf(value: unknown, index: number): string {
  if (typeof value === 'string' && value !== '' && value.length <= 1024) return value;
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `infer request: inputs[${index}]: 'name' must be a text of 1 to 1024 characters, got ${shown(value)}`,
  );
}

export function datatypeOf(name: string, value: unknown): Datatype {
  if ((datatypes as readonly unknown[]).includes(value)) return value as Datatype;
  throw tensorError(name, `'datatype' must be one of ${datatypes.join(', ')}, got ${shown(value)}`);
}

export function shapeOf(
  name: string,
  value: unknown,
  limits: { readonly rankMax: number; readonly elementsMax: number },
): readonly number[] {
  if (!Array.isArray(value)) throw tensorError(name, `'shape' must be a list of whole numbers, got ${shown(value)}`);
  if (value.length > limits.rankMax) {
    throw tensorError(name, `'shape' has ${value.length} dimensions, at most ${limits.rankMax} are allowed`);
  }
  let elements = 1n;
  for (const size of value as readonly unknown[]) {
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
      throw tensorError(name, `'shape' must hold whole numbers of at least 0, got ${shown(size)}`);
    }
    elements *= BigInt(size);
  }
  if (elements > BigInt(limits.elementsMax)) {
    throw new MillraceError(
      'TOO_LARGE',
      `input '${name.slice(0, 80)}': shape [${value.join(', ')}] has ${elements} values, at most ${limits.elementsMax} are allowed`,
      { details: { tensor: name } },
    );
  }
  return value as readonly number[];
}

/** A value of the request, short enough for a message. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) return 'nothing';
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

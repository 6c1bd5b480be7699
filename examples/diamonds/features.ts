import type { Diamond } from './data.ts';

/** How one column of the model's input is to be read. A categorical value is sent as its index in `categories`. */
export type Feature =
  | { readonly name: NumericName; readonly kind: 'numeric'; readonly description: string }
  | {
      readonly name: CategoricalName;
      readonly kind: 'categorical';
      readonly description: string;
      readonly categories: readonly string[];
    };

type NumericName = 'carat' | 'depth' | 'table' | 'x' | 'y' | 'z';
type CategoricalName = 'cut' | 'color' | 'clarity';

/** Row-major numbers: value (row, column) lies at `row * columns + column`. */
export interface Matrix {
  readonly values: Float32Array | Float64Array;
  readonly rows: number;
  readonly columns: number;
}

/** Rows as a trainer takes them. `x` is float32 because that is what the served model will see. */
export interface Dataset {
  readonly x: Matrix;
  /** Dollars, one a row. */
  readonly prices: Float64Array;
}

/** The columns of `features`, in order. Categories go from worst to best, so that a larger number means a dearer stone. */
export const features: readonly Feature[] = [
  { name: 'carat', kind: 'numeric', description: 'weight, 0.2 g' },
  {
    name: 'cut',
    kind: 'categorical',
    description: 'quality of the cut',
    categories: ['Fair', 'Good', 'Very Good', 'Premium', 'Ideal'],
  },
  {
    name: 'color',
    kind: 'categorical',
    description: 'colour grade, D is colourless',
    categories: ['J', 'I', 'H', 'G', 'F', 'E', 'D'],
  },
  {
    name: 'clarity',
    kind: 'categorical',
    description: 'inclusions, IF has none inside',
    categories: ['I1', 'SI2', 'SI1', 'VS2', 'VS1', 'VVS2', 'VVS1', 'IF'],
  },
  { name: 'depth', kind: 'numeric', description: 'height over mean diameter, %' },
  { name: 'table', kind: 'numeric', description: 'width of the top over the widest point, %' },
  { name: 'x', kind: 'numeric', description: 'length, mm' },
  { name: 'y', kind: 'numeric', description: 'width, mm' },
  { name: 'z', kind: 'numeric', description: 'height, mm' },
];

/**
 * One diamond as a row of the model's input, in the order of {@link features}.
 *
 * @throws RangeError when a category is none of the listed ones.
 */
export function encodeDiamond(diamond: Diamond): number[] {
  return features.map((feature) => {
    if (feature.kind === 'numeric') return diamond[feature.name];
    const code = feature.categories.indexOf(diamond[feature.name]);
    if (code < 0) {
      throw new RangeError(
        `diamond ${diamond.id}: ${feature.name} '${diamond[feature.name]}' is none of ${feature.categories.join(', ')}`,
      );
    }
    return code;
  });
}

export function encodeDiamonds(diamonds: readonly Diamond[]): Matrix {
  const values = new Float32Array(diamonds.length * features.length);
  diamonds.forEach((diamond, row) => values.set(encodeDiamond(diamond), row * features.length));
  return { values, rows: diamonds.length, columns: features.length };
}

export function buildDataset(diamonds: readonly Diamond[]): Dataset {
  return { x: encodeDiamonds(diamonds), prices: Float64Array.from(diamonds, (diamond) => diamond.price) };
}

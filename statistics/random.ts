/**
 * Seeded random numbers: xoshiro128** 1.1 (Blackman and Vigna 2018), its four words filled by splitmix32 (Steele,
 * Lea and Flood 2014, in 32 bits). The same seed gives the same numbers on every machine and version; not for secrets.
 */
import { requireInteger } from './arguments.ts';

/** Four 32-bit words: the whole state, JSON-able, so a fold can keep it. */
export type RandomState = readonly [number, number, number, number];

/** A stream of random numbers. Methods advance the stream; `state()` does not. */
export interface Random {
  /** An integer within [0, 2³²). */
  bits(): number;
  /** Uniform within [0, 1), 53 bits. */
  uniform(): number;
  /** Unbiased integer within [0, bound). @throws RangeError unless 1 ≤ bound ≤ 2³². */
  integer(bound: number): number;
  /** Standard normal (Box and Muller 1958; one value per two uniforms, so that the state stays four words). */
  normal(): number;
  /** Exponential with mean 1. */
  exponential(): number;
  /** Gamma with the given shape and scale 1 (Marsaglia and Tsang 2000). */
  gamma(shape: number): number;
  /** Beta(a, b), from two gammas. */
  beta(a: number, b: number): number;
  /** Shuffles in place (Fisher and Yates) and returns the same array. */
  shuffle<T extends { length: number; [index: number]: unknown }>(values: T): T;
  /** `count` distinct integers within [0, bound), in random order. */
  sample(bound: number, count: number): number[];
  /** The state from which `restoreRandom` continues this stream. */
  state(): RandomState;
}

/** A stream from a seed: an integer (up to 2⁵³) or any text. */
export function seededRandom(seed: number | string): Random {
  const words = typeof seed === 'string' ? hashText(seed) : splitNumber(seed);
  let a = words[0] >>> 0;
  const next = () => {
    a = (a + 0x9e3779b9) >>> 0;
    let z = a;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  const first = next();
  const second = next();
  a = (a ^ words[1]) >>> 0;
  // All-zero words would be a fixed point of the generator.
  return new Xoshiro128([first, second, next(), next() | 1]);
}

/** Continues the stream whose `state()` this was. @throws RangeError for anything but four 32-bit words, not all 0. */
export function restoreRandom(state: RandomState): Random {
  if (state.length !== 4) throw new RangeError(`a random state has 4 words, got ${String(state.length)}`);
  for (const word of state) requireInteger('state word', word);
  if (state.every((word) => word === 0)) throw new RangeError('a random state must not be all zero');
  return new Xoshiro128(state);
}

class Xoshiro128 implements Random {
  readonly #words: Uint32Array;

  constructor(state: RandomState) {
    this.#words = Uint32Array.from(state);
  }

  bits(): number {
    const s = this.#words;
    const [s0 = 0, s1 = 0, s2 = 0, s3 = 0] = s;
    const result = Math.imul(rotate(Math.imul(s1, 5), 7), 9) >>> 0;
    const x2 = s2 ^ s0;
    const x3 = s3 ^ s1;
    s[0] = s0 ^ x3;
    s[1] = s1 ^ x2;
    s[2] = x2 ^ (s1 << 9);
    s[3] = rotate(x3, 11);
    return result;
  }

  uniform(): number {
    const high = this.bits() >>> 5;
    const low = this.bits() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  }

  integer(bound: number): number {
    requireInteger('bound', bound, 1);
    if (bound > 2 ** 32) throw new RangeError(`bound must be at most 2^32, got ${bound}`);
    const limit = 2 ** 32 - (2 ** 32 % bound);
    for (;;) {
      const bits = this.bits();
      if (bits < limit) return bits % bound;
    }
  }

  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  exponential(): number {
    return -Math.log(1 - this.uniform());
  }

  gamma(shape: number): number {
    if (!(shape > 0)) throw new RangeError(`shape must be above 0, got ${shape}`);
    if (shape < 1) return this.gamma(shape + 1) * (1 - this.uniform()) ** (1 / shape);
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const v = (1 + c * x) ** 3;
      if (v <= 0) continue;
      if (Math.log(1 - this.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
    }
  }

  beta(a: number, b: number): number {
    const x = this.gamma(a);
    const y = this.gamma(b);
    // Both can underflow when a and b are tiny; the mass then sits at the ends in proportion a : b.
    if (x + y === 0) return this.uniform() < a / (a + b) ? 1 : 0;
    return x / (x + y);
  }

  shuffle<T extends { length: number; [index: number]: unknown }>(values: T): T {
    for (let i = values.length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const kept = values[i];
      (values as { [index: number]: unknown })[i] = values[j];
      (values as { [index: number]: unknown })[j] = kept;
    }
    return values;
  }

  sample(bound: number, count: number): number[] {
    requireInteger('count', count);
    if (count > bound) throw new RangeError(`count must be at most bound ${bound}, got ${count}`);
    // Floyd's algorithm: no array of `bound` entries.
    const chosen = new Set<number>();
    for (let top = bound - count; top < bound; top++) {
      const pick = this.integer(top + 1);
      chosen.add(chosen.has(pick) ? top : pick);
    }
    return this.shuffle([...chosen]);
  }

  state(): RandomState {
    const [a = 0, b = 0, c = 0, d = 0] = this.#words;
    return [a, b, c, d];
  }
}

function rotate(x: number, k: number): number {
  return (x << k) | (x >>> (32 - k));
}

function splitNumber(seed: number): [number, number] {
  if (!Number.isSafeInteger(seed)) throw new RangeError(`seed must be a safe integer or text, got ${seed}`);
  return [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0];
}

/** FNV-1a, twice with different offsets. */
function hashText(text: string): [number, number] {
  let a = 0x811c9dc5;
  let b = 0x01000193 ^ text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x5bd1e995);
  }
  return [a >>> 0, b >>> 0];
}

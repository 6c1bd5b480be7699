export interface RowSplit {
  readonly train: Uint32Array;
  readonly test: Uint32Array;
}

/**
 * Row numbers of scikit-learn's `train_test_split` with its defaults (a quarter to test, rounded up) after
 * `numpy.random.seed(seed)`.
 */
export function splitLikeNumpy(rows: number, seed: number): RowSplit {
  const permutation = permuteLikeNumpy(rows, seed);
  const testRows = Math.ceil(rows / 4);
  return { test: permutation.slice(0, testRows), train: permutation.slice(testRows) };
}

/** `numpy.random.RandomState(seed).permutation(size)`. */
function permuteLikeNumpy(size: number, seed: number): Uint32Array {
  const next = createMersenneTwister(seed);
  const permutation = Uint32Array.from({ length: size }, (_, i) => i);
  for (let i = size - 1; i > 0; i--) {
    // Uniform in 0..i by masking and rejecting, as numpy's legacy generator draws it.
    const mask = 2 ** (32 - Math.clz32(i)) - 1;
    let j = (next() & mask) >>> 0;
    while (j > i) j = (next() & mask) >>> 0;
    const kept = permutation[i] ?? 0;
    permutation[i] = permutation[j] ?? 0;
    permutation[j] = kept;
  }
  return permutation;
}

/** MT19937 (Matsumoto and Nishimura 1998): uniform 32-bit unsigned integers. */
function createMersenneTwister(seed: number): () => number {
  const size = 624;
  const state = new Uint32Array(size);
  const word = (i: number): number => state[i % size] ?? 0;
  state[0] = seed;
  for (let i = 1; i < size; i++) state[i] = Math.imul(1812433253, word(i - 1) ^ (word(i - 1) >>> 30)) + i;
  let position = size;

  const refill = (): void => {
    for (let i = 0; i < size; i++) {
      const joined = (word(i) & 0x80000000) | (word(i + 1) & 0x7fffffff);
      state[i] = word(i + 397) ^ (joined >>> 1) ^ (joined & 1 ? 0x9908b0df : 0);
    }
    position = 0;
  };

  return () => {
    if (position === size) refill();
    let value = word(position++);
    value ^= value >>> 11;
    value ^= (value << 7) & 0x9d2c5680;
    value ^= (value << 15) & 0xefc60000;
    return (value ^ (value >>> 18)) >>> 0;
  };
}

/** Discrete Fourier transform of any length: radix 2 (Cooley and Tukey 1965), other lengths by Bluestein's chirp (1970). O(n log n). */
import { requireSameLength } from '../arguments.ts';

/** Parts of complex numbers, equally long. */
export interface Complex {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** X[k] = Σ x[t] e^(−2πi kt/n), without a factor. @throws RangeError when the parts are not equally long. */
export function fourier({ re, im }: Complex): Complex {
  requireSameLength('re', re, 'im', im);
  const n = re.length;
  if (n < 2) return { re: re.slice(), im: im.slice() };
  return (n & (n - 1)) === 0 ? radix2(re.slice(), im.slice()) : bluestein(re, im);
}

/** x[t] = 1/n Σ X[k] e^(2πi kt/n): `inverseFourier(fourier(x))` is x. */
export function inverseFourier({ re, im }: Complex): Complex {
  // The transform with its parts exchanged is the inverse one.
  const { re: imaginary, im: real } = fourier({ re: im, im: re });
  const n = re.length || 1;
  return { re: real.map((value) => value / n), im: imaginary.map((value) => value / n) };
}

function radix2(re: Float64Array, im: Float64Array): Complex {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; (j & bit) !== 0; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i >= j) continue;
    [re[i], re[j]] = [re[j] ?? 0, re[i] ?? 0];
    [im[i], im[j]] = [im[j] ?? 0, im[i] ?? 0];
  }
  for (let size = 2; size <= n; size *= 2) {
    const half = size / 2;
    for (let k = 0; k < half; k++) {
      const angle = (-2 * Math.PI * k) / size;
      const [c, s] = [Math.cos(angle), Math.sin(angle)];
      for (let at = k; at < n; at += size) {
        const [a, b] = [re[at + half] ?? 0, im[at + half] ?? 0];
        const [x, y] = [a * c - b * s, a * s + b * c];
        const [u, v] = [re[at] ?? 0, im[at] ?? 0];
        re[at] = u + x;
        im[at] = v + y;
        re[at + half] = u - x;
        im[at + half] = v - y;
      }
    }
  }
  return { re, im };
}

/** kt = (k² + t² − (k − t)²) / 2 makes a convolution of the transform, and that is done by powers of two. */
function bluestein(re: Float64Array, im: Float64Array): Complex {
  const n = re.length;
  let length = 1;
  while (length < 2 * n - 1) length *= 2;
  const [ar, ai, br, bi] = Array.from({ length: 4 }, () => new Float64Array(length)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  // k² mod 2n keeps the angle small, and with it exact.
  const angle = (k: number): number => (Math.PI * ((k * k) % (2 * n))) / n;
  for (let k = 0; k < n; k++) {
    const [c, s] = [Math.cos(angle(k)), Math.sin(angle(k))];
    const [x, y] = [re[k] ?? 0, im[k] ?? 0];
    ar[k] = x * c + y * s;
    ai[k] = y * c - x * s;
    br[k] = c;
    bi[k] = s;
    if (k > 0) {
      br[length - k] = c;
      bi[length - k] = s;
    }
  }
  const [a, b] = [radix2(ar, ai), radix2(br, bi)];
  const product = { re: new Float64Array(length), im: new Float64Array(length) };
  for (let k = 0; k < length; k++) {
    const [p, q, r, s] = [a.re[k] ?? 0, a.im[k] ?? 0, b.re[k] ?? 0, b.im[k] ?? 0];
    product.re[k] = p * r - q * s;
    product.im[k] = p * s + q * r;
  }
  const convolved = inverseFourier(product);
  const out = { re: new Float64Array(n), im: new Float64Array(n) };
  for (let k = 0; k < n; k++) {
    const [c, s] = [Math.cos(angle(k)), Math.sin(angle(k))];
    const [x, y] = [convolved.re[k] ?? 0, convolved.im[k] ?? 0];
    out.re[k] = x * c + y * s;
    out.im[k] = y * c - x * s;
  }
  return out;
}

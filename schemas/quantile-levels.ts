/** Levels of the quantiles that `features-summarized` has. */
export const quantileLevels: readonly number[] = [
  0,
  0.01,
  ...Array.from({ length: 19 }, (_, place) => (5 * (place + 1)) / 100),
  0.99,
  1,
];

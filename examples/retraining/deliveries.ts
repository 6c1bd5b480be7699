/** A made-up world: how long a delivery takes. One day a bridge is closed, ways get longer, and every kilometre takes more time. */

export const deliveryFeatures = ['distance_km', 'parcels', 'rain'] as const;

export interface Delivery {
  readonly row: readonly [distanceKm: number, parcels: number, rain: number];
  /** What the courier's watch said in the end. */
  readonly minutes: number;
}

export interface World {
  readonly bridge: 'open' | 'closed';
  readonly seed: number;
}

/** An endless stream, the same for the same seed. */
export function* deliveries({ bridge, seed }: World): Generator<Delivery, never> {
  const random = uniform(seed);
  const closed = bridge === 'closed';
  for (;;) {
    const distanceKm = (1 + 6 * random()) * (closed ? 1.8 : 1);
    const parcels = 1 + Math.floor(5 * random());
    const rain = random() < 0.3 ? 1 : 0;
    const noise = (random() + random() + random() - 1.5) * 2;
    const minutes = 6 + (closed ? 4.5 : 3) * distanceKm + 1.5 * parcels + 4 * rain + noise;
    yield { row: [distanceKm, parcels, rain], minutes };
  }
}

export function take(stream: Iterator<Delivery, never>, count: number): readonly Delivery[] {
  return Array.from({ length: count }, () => stream.next().value);
}

/** Mulberry32. */
function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

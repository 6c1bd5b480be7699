/** Training data from the log: what was asked, joined to what turned out to be true. Nobody has to keep it anywhere else. */
import type { Client } from '../../sdk/index.ts';
import type { Delivery } from './deliveries.ts';

export interface Wanted {
  readonly deployment: string;
  /** Only predictions from then on, milliseconds. */
  readonly sinceMs: number;
  readonly rows: number;
}

/** Waits until so many predictions have their truth. */
export async function labelledDeliveries(client: Client, { deployment, sinceMs, rows }: Wanted): Promise<Delivery[]> {
  const asked = new Map<string, Delivery['row']>();
  const truths = new Map<string, number>();
  const labelled = new Map<string, Delivery>();
  let complete = (): void => undefined;
  const done = new Promise<void>((resolve) => {
    complete = resolve;
  });
  const join = (predictionId: string): void => {
    const [row, minutes] = [asked.get(predictionId), truths.get(predictionId)];
    if (row === undefined || minutes === undefined || labelled.size >= rows) return;
    labelled.set(predictionId, { row, minutes });
    if (labelled.size === rows) complete();
  };
  const options = { deployment, from: 'earliest' } as const;
  const predictions = client.subscribe(
    'predictions',
    ({ type, data, timeMs }) => {
      if (type !== 'prediction-completed' || timeMs < sinceMs) return;
      const [values] = Object.values(data.inputs[0]?.data ?? {}) as readonly { readonly values: readonly number[] }[];
      const [distanceKm = 0, parcels = 0, rain = 0] = values?.values ?? [];
      asked.set(data.predictionId, [distanceKm, parcels, rain]);
      join(data.predictionId);
    },
    options,
  );
  const rewards = client.subscribe(
    'rewards',
    ({ type, data }) => {
      if (type !== 'reward-recorded' || data.truth === null) return;
      truths.set(data.predictionId, data.truth);
      join(data.predictionId);
    },
    options,
  );
  try {
    await Promise.race([done, predictions.done, rewards.done]);
  } finally {
    await Promise.all([predictions.close(), rewards.close()]);
  }
  return [...labelled.values()];
}

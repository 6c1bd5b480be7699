import { describe, it } from 'vitest';
import { limitCases } from './limit-cases.ts';
import { ownershipCases } from './ownership-cases.ts';
import { rangeCases } from './range-cases.ts';
import { rebuildCases } from './rebuild-cases.ts';
import { snapshotCases } from './snapshot-cases.ts';
import type { StateStoreFeatures, StateStoreHarness } from './state-store-harness.ts';
import { survivalCases } from './survival-cases.ts';
import { valueCases } from './value-cases.ts';

export const stateStoreCases = [
  ...valueCases,
  ...limitCases,
  ...rangeCases,
  ...ownershipCases,
  ...survivalCases,
  ...snapshotCases,
  ...rebuildCases,
];

/** The suite that every StateStore passes. */
export function stateStoreConformance(
  name: string,
  createHarness: () => Promise<StateStoreHarness>,
  features: StateStoreFeatures,
): void {
  describe(`${name} as a state store`, () => {
    for (const { name: sentence, needs, run } of stateStoreCases) {
      const feature = needs === undefined ? true : features[needs];
      const title = feature === true ? sentence : `${sentence} (skipped: ${feature.skipped})`;
      it.skipIf(feature !== true)(title, async () => {
        const harness = await createHarness();
        try {
          await run(harness);
        } finally {
          await harness.close();
        }
      });
    }
  });
}

import { describe, it } from 'vitest';
import { changeCases } from './change-cases.ts';
import { positionCases } from './position-cases.ts';
import type { QueryStoreHarness } from './query-store-harness.ts';
import { survivalCases } from './survival-cases.ts';
import { valueCases } from './value-cases.ts';

export const queryStoreCases = [...valueCases, ...changeCases, ...positionCases, ...survivalCases];

/** The suite that every QueryStore passes. */
export function queryStoreConformance(name: string, createHarness: () => Promise<QueryStoreHarness>): void {
  describe(`${name} as a query store`, () => {
    for (const { name: sentence, run } of queryStoreCases) {
      it(sentence, async () => {
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

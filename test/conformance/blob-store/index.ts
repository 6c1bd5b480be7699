import { describe, it } from 'vitest';
import type { BlobStoreHarness } from './blob-store-harness.ts';
import { contentCases } from './content-cases.ts';
import { safetyCases } from './safety-cases.ts';

export const blobStoreCases = [...contentCases, ...safetyCases];

/** The suite that every BlobStore passes. */
export function blobStoreConformance(name: string, createHarness: () => Promise<BlobStoreHarness>): void {
  describe(`${name} as a blob store`, () => {
    for (const { name: sentence, run } of blobStoreCases) {
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

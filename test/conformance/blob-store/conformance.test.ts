import { describe, expect, it } from 'vitest';
import { createDirectoryHarness } from './directory-harness.ts';
import { blobStoreCases } from './index.ts';
import { blobStoreMutants } from './mutants.ts';

describe('the blob store suite', () => {
  it('has one mutant for each case, and no other', () => {
    expect(Object.keys(blobStoreMutants).sort()).toEqual(blobStoreCases.map(({ mutant }) => mutant).sort());
  });

  it('is green for a store that is not broken', async () => {
    expect(await redCases((store) => store)).toEqual([]);
  });

  it.each(blobStoreCases)('turns exactly one case red for a store that $mutant', async ({ name, mutant }) => {
    expect(await redCases(blobStoreMutants[mutant]!)).toEqual([name]);
  });
});

async function redCases(breakStore: (typeof blobStoreMutants)[string]): Promise<readonly string[]> {
  const red: string[] = [];
  for (const { name, run } of blobStoreCases) {
    const harness = await createDirectoryHarness('process', breakStore);
    await run(harness).catch(() => red.push(name));
    await harness.close();
  }
  return red;
}

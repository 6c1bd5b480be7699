import { describe, expect, it } from 'vitest';
import { blobStoreCases } from './index.ts';
import { blobStoreMutants } from './mutants.ts';
import { redCases } from './red-cases.ts';

describe('the blob store suite', () => {
  it('has one mutant for each case, and no other', () => {
    expect(Object.keys(blobStoreMutants).sort()).toEqual(blobStoreCases.map(({ mutant }) => mutant).sort());
  });

  it('is green for a store that is not broken', async () => {
    expect(await redCases((store) => store)).toEqual([]);
  });

  it.each(blobStoreCases)('turns its case red for a store that $mutant', async (one) => {
    expect(await redCases(blobStoreMutants[one.mutant], [one])).toEqual([one.name]);
  });
});

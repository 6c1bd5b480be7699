import { describe, expect, it } from 'vitest';
import { blobStoreCases } from './index.ts';
import { blobStoreMutants } from './mutants.ts';
import { redCases } from './red-cases.ts';

describe('the blob store suite, whole', () => {
  it.each(blobStoreCases)('turns exactly one case red for a store that $mutant', async ({ name, mutant }) => {
    expect(await redCases(blobStoreMutants[mutant])).toEqual([name]);
  });
});

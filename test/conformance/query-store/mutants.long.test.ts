import { describe, expect, it } from 'vitest';
import { queryStoreCases } from './index.ts';
import { redCases } from './red-cases.ts';

describe('the query store suite, whole', () => {
  it.each(queryStoreCases)('turns exactly one case red for a store that $mutant', async ({ name, mutant }) => {
    expect(await redCases(mutant)).toEqual([name]);
  });
});

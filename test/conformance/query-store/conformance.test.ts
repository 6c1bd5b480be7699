import { describe, expect, it } from 'vitest';
import { queryStoreCases, queryStoreConformance } from './index.ts';
import { mutants } from './mutants.ts';
import { redCases } from './red-cases.ts';
import { createSqliteHarness } from './sqlite-harness.ts';

queryStoreConformance('SQLite', async () => await createSqliteHarness());

describe('the query store suite', () => {
  it('has one mutant for each case, and no other', () => {
    expect(Object.keys(mutants).sort()).toEqual(queryStoreCases.map(({ mutant }) => mutant).sort());
  });

  it.each(queryStoreCases)('turns its case red for a store that $mutant', async (one) => {
    expect(await redCases(one.mutant, [one])).toEqual([one.name]);
  });
});

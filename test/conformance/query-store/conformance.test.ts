import { describe, expect, it } from 'vitest';
import { queryStoreCases, queryStoreConformance } from './index.ts';
import { mutants } from './mutants.ts';
import { createSqliteHarness } from './sqlite-harness.ts';

queryStoreConformance('SQLite', async () => await createSqliteHarness());

describe('the query store suite', () => {
  it('has one mutant for each case, and no other', () => {
    expect(Object.keys(mutants).sort()).toEqual(queryStoreCases.map(({ mutant }) => mutant).sort());
  });

  it.each(queryStoreCases)('turns exactly one case red for a store that $mutant', async ({ name, mutant }) => {
    const red: string[] = [];
    for (const other of queryStoreCases) {
      const harness = await createSqliteHarness(mutants[mutant]);
      const green = await other.run(harness).then(
        () => true,
        () => false,
      );
      await harness.close();
      if (!green) red.push(other.name);
    }
    expect(red).toEqual([name]);
  });
});

import { describe, expect, it } from 'vitest';
import { modelRuntimeCases } from './cases.ts';
import { type Mutation, mutantFixture, mutations } from './mutants.ts';

describe('the ModelRuntime suite itself', () => {
  it('passes on the function runtime without a mutation', async () => {
    expect(await redCases({ name: 'none' })).toEqual([]);
  });

  it('names one mutant per case, and has a case for each mutant', () => {
    expect(modelRuntimeCases.map(({ mutant }) => mutant).sort()).toEqual(mutations.map(({ name }) => name).sort());
  });

  it.each(mutations)('turns exactly one case red for the mutant that $name', async (mutation) => {
    const expected = modelRuntimeCases.filter(({ mutant }) => mutant === mutation.name).map(({ name }) => name);
    expect(await redCases(mutation)).toEqual(expected);
  });
});

async function redCases(mutation: Mutation): Promise<string[]> {
  const red: string[] = [];
  for (const { name, run } of modelRuntimeCases) {
    try {
      await run(mutantFixture(mutation));
    } catch {
      red.push(name);
    }
  }
  return red;
}

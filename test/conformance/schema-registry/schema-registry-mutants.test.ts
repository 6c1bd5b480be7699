import { describe, expect, it } from 'vitest';
import { schemaRegistryCases } from './cases.ts';
import { mutantFixture, mutations } from './mutants.ts';

describe('the SchemaRegistry suite itself', () => {
  it('passes on the memory registry without a mutation', async () => {
    expect(await redCases({ name: 'none' })).toEqual([]);
  });

  it('names one mutant per case, and has a case for each mutant', () => {
    expect(schemaRegistryCases.map(({ mutant }) => mutant).sort()).toEqual(mutations.map(({ name }) => name).sort());
  });

  it.each(mutations)('turns exactly one case red for the mutant that $name', async (mutation) => {
    const expected = schemaRegistryCases.filter(({ mutant }) => mutant === mutation.name).map(({ name }) => name);
    expect(await redCases(mutation)).toEqual(expected);
  });
});

async function redCases(mutation: Parameters<typeof mutantFixture>[0]): Promise<string[]> {
  const red: string[] = [];
  for (const { name, run } of schemaRegistryCases) {
    try {
      await run(mutantFixture(mutation));
    } catch {
      red.push(name);
    }
  }
  return red;
}

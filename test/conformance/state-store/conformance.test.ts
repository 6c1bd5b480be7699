import { describe, expect, it } from 'vitest';
import { stateStoreCases, stateStoreConformance } from './index.ts';
import { createMemoryHarness } from './memory-harness.ts';
import { ownershipMutants } from './ownership-mutants.ts';
import { rangeMutants } from './range-mutants.ts';
import { survivalMutants } from './survival-mutants.ts';
import { valueMutants } from './value-mutants.ts';

stateStoreConformance('memory', async () => createMemoryHarness(), {
  killWhileCommitting: true,
  loseNextCommit: true,
});

const mutants = { ...valueMutants, ...rangeMutants, ...ownershipMutants, ...survivalMutants };

describe('the state store suite', () => {
  it('has one mutant for each case, and no other', () => {
    expect(Object.keys(mutants).sort()).toEqual(stateStoreCases.map(({ mutant }) => mutant).sort());
  });

  it.each(stateStoreCases)('turns exactly one case red for a store that $mutant', async ({ name, mutant }) => {
    const breakStore = mutants[mutant];
    const red: string[] = [];
    for (const other of stateStoreCases) {
      const green = await other.run(createMemoryHarness(breakStore)).then(
        () => true,
        () => false,
      );
      if (!green) red.push(other.name);
    }
    expect(red).toEqual([name]);
  });
});

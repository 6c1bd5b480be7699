import { describe, expect, it } from 'vitest';
import { logCases } from './index.ts';
import { isGreen } from './is-green.ts';

describe('the log suite, whole', () => {
  it.concurrent.each(logCases)(
    'turns exactly one case red for a log that $mutant',
    async ({ name, mutant, needs }) => {
      // A kill starts a process, so it is tried with its own mutant only.
      const tried = logCases.filter((other) => other.needs !== 'killWhileAppending' || needs === 'killWhileAppending');
      const red = await Promise.all(tried.map(async (other) => ((await isGreen(other, mutant, 1_000)) ? [] : [other])));
      const stillRed: string[] = [];
      for (const other of red.flat()) {
        // A busy machine must not make a case red that has nothing to do with the mutant.
        if (other.name === name || !(await isGreen(other, mutant, 10_000))) stillRed.push(other.name);
      }
      expect(stillRed).toEqual([name]);
    },
    120_000,
  );
});

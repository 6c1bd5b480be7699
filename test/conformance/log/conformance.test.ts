import { describe, expect, it } from 'vitest';
import { systemFiles } from '../../../runtime/adapters/embedded-log/log-files.ts';
import { createEmbeddedHarness } from './embedded-harness.ts';
import { logCases, logConformance } from './index.ts';
import { mutants } from './mutants.ts';

const noConnections = { skipped: 'an embedded log has no connections' };
const features = {
  killWhileAppending: true,
  compaction: true,
  retention: true,
  dropConnections: noConnections,
} as const;

logConformance('the embedded log', () => createEmbeddedHarness(), features);
logConformance('the embedded log with durability disk', () => createEmbeddedHarness({ durability: 'disk' }), features);
logConformance(
  'the embedded log with tiny files, deliveries and memory',
  () => createEmbeddedHarness({ segmentBytes: 2_000, tailBytesMax: 500, deliveryRecordsMax: 7 }),
  features,
);

describe('the log suite', () => {
  it('has one mutant for each case, and no other', () => {
    expect(Object.keys(mutants).sort()).toEqual(logCases.map(({ mutant }) => mutant).sort());
  });

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

/** Nothing here loses power, and syncs would take most of the time. */
const unsynced = { ...systemFiles, syncNow: () => undefined, syncDirectory: () => undefined };

async function isGreen({ run }: (typeof logCases)[number], mutant: string, deadlineMs: number): Promise<boolean> {
  const harness = await createEmbeddedHarness({ mutant, deadlineMs, files: unsynced });
  try {
    await run(harness);
    return true;
  } catch {
    return false;
  } finally {
    await harness.close();
  }
}

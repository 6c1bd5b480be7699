import { describe, expect, it } from 'vitest';
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

  it.each(logCases)('turns exactly one case red for a log that $mutant', async ({ name, mutant, needs }) => {
    const red: string[] = [];
    for (const other of logCases) {
      // A kill starts a process, so it is tried with its own mutant only.
      if (other.needs === 'killWhileAppending' && needs !== 'killWhileAppending') continue;
      if (!(await isGreen(other, mutant))) red.push(other.name);
    }
    expect(red).toEqual([name]);
  });
});

async function isGreen({ run }: (typeof logCases)[number], mutant: string): Promise<boolean> {
  const harness = await createEmbeddedHarness({ mutant, deadlineMs: 1_000 });
  try {
    await run(harness);
    return true;
  } catch {
    return false;
  } finally {
    await harness.close();
  }
}

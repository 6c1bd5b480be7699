import { describe, expect, it } from 'vitest';
import { createEmbeddedHarness } from './embedded-harness.ts';
import { logCases, logConformance } from './index.ts';
import { isGreen } from './is-green.ts';
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
logConformance('the embedded log, lent to another thread', () => createEmbeddedHarness({ lent: true }), {
  ...features,
  killWhileAppending: { skipped: 'it is in the process of its log, and has no files of its own' },
});

describe('the log suite', () => {
  it('has one mutant for each case, and no other', () => {
    expect(Object.keys(mutants).sort()).toEqual(logCases.map(({ mutant }) => mutant).sort());
  });

  it.concurrent.each(logCases)(
    'turns its case red for a log that $mutant',
    async (one) => expect(await isGreen(one, one.mutant, 1_000)).toBe(false),
    120_000,
  );
});

import { describe, it } from 'vitest';
import { appendCases } from './append-cases.ts';
import { cleaningCases } from './cleaning-cases.ts';
import { deliveryCases } from './delivery-cases.ts';
import { groupCases } from './group-cases.ts';
import { lifetimeCases } from './lifetime-cases.ts';
import type { LogCase, LogFeatures, LogHarness } from './log-harness.ts';
import { readCases } from './read-cases.ts';
import { recordCases } from './record-cases.ts';

export const logCases: readonly LogCase[] = [
  ...appendCases,
  ...recordCases,
  ...readCases,
  ...deliveryCases,
  ...groupCases,
  ...lifetimeCases,
  ...cleaningCases,
];

/** The suite that every Log passes. `caseTimeoutMs`: for a whole case; waits inside it end by `harness.deadlineMs`. */
export function logConformance(
  name: string,
  createHarness: () => Promise<LogHarness>,
  features: LogFeatures,
  caseTimeoutMs = 60_000,
): void {
  describe(`${name} as a log`, () => {
    for (const { name: sentence, needs, run } of logCases) {
      const feature = needs === undefined ? true : features[needs];
      const title = feature === true ? sentence : `${sentence} (skipped: ${feature.skipped})`;
      it.skipIf(feature !== true)(
        title,
        async () => {
          const harness = await createHarness();
          try {
            await run(harness);
          } finally {
            await harness.close();
          }
        },
        caseTimeoutMs,
      );
    }
  });
}

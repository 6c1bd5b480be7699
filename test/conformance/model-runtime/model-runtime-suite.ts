import { describe, it } from 'vitest';
import { modelRuntimeCases } from './cases.ts';
import type { ModelRuntimeFixture } from './fixture.ts';

/** The conformance suite of the ModelRuntime port, run on one adapter. `skips` maps a case's name to the reason. */
export function modelRuntimeConformance(
  adapter: string,
  fixture: () => ModelRuntimeFixture,
  skips: Readonly<Record<string, string>> = {},
): void {
  describe(`ModelRuntime: ${adapter}`, () => {
    for (const { name, run } of modelRuntimeCases) {
      const reason = skips[name];
      it.skipIf(reason !== undefined)(reason === undefined ? name : `${name} (skipped: ${reason})`, () =>
        run(fixture()),
      );
    }
  });
}

import { afterAll, beforeAll, describe, it } from 'vitest';
import { schemaRegistryCases, type SchemaRegistryFixture } from './cases.ts';

export interface OpenedFixture extends SchemaRegistryFixture {
  dispose(): Promise<void>;
}

/** The conformance suite of the SchemaRegistry port, run on one adapter. `skips` maps a case's name to the reason. */
export function describeSchemaRegistry(
  adapter: string,
  open: () => Promise<OpenedFixture>,
  skips: Readonly<Record<string, string>> = {},
): void {
  describe(`SchemaRegistry: ${adapter}`, () => {
    let fixture: OpenedFixture;
    beforeAll(async () => {
      fixture = await open();
    });
    afterAll(async () => {
      await fixture.dispose();
    });
    for (const { name, run } of schemaRegistryCases) {
      const reason = skips[name];
      it.skipIf(reason !== undefined)(reason === undefined ? name : `${name} (skipped: ${reason})`, () => run(fixture));
    }
  });
}

import { expect, it } from 'vitest';
import { canonicalSchema } from '../../../schemas/codec/canonical-schema.ts';
import { schemaTexts } from '../../../schemas/events.generated.ts';

it('has nothing to do for the generated texts, which registries take as they are', () => {
  const others = Object.entries(schemaTexts).filter(([, text]) => canonicalSchema(text) !== text);
  expect(others.map(([event]) => event)).toEqual([]);
});

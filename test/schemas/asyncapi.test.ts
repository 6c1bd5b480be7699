import { readFileSync } from 'node:fs';
import { Parser } from '@asyncapi/parser';
import { describe, expect, it } from 'vitest';
import { topicNames, topics } from '../../schemas/topics.ts';

describe('docs/asyncapi.yaml', () => {
  const text = readFileSync(new URL('../../docs/asyncapi.yaml', import.meta.url), 'utf8');

  it('is a valid AsyncAPI document for the official parser', async () => {
    const { document, diagnostics } = await new Parser().parse(text);
    expect(
      diagnostics.filter(({ severity }) => severity === 0).map(({ message, path }) => `${path.join('.')}: ${message}`),
    ).toEqual([]);
    expect(
      document
        ?.channels()
        .all()
        .map((channel) => channel.id())
        .sort(),
    ).toEqual(topicNames.filter((name) => topics[name].events.length > 0).sort());
  });

  it('is refused when it is broken, so that the check above can fail', async () => {
    const { diagnostics } = await new Parser().parse(text.replace('action: receive', 'action: shout'));
    expect(diagnostics.some(({ severity }) => severity === 0)).toBe(true);
  });
});

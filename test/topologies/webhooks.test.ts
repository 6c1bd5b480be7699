import { describe, expect, it } from 'vitest';
import { createTopologyDriver } from '../../runtime/testing/index.ts';
import type { WebhookRequested } from '../../schemas/events.ts';
import { webhooks } from '../../topologies/webhooks.ts';

const wish = {
  url: 'https://example.org/a',
  topic: 'alerts',
  types: [],
  deployment: '',
  filter: '',
  format: 'standard',
  description: '',
  status: 'active',
  sealedSecret: '',
  positions: [0],
  actor: 'ada',
  unlessChangedSince: null,
};

describe('a webhook', () => {
  it('that somebody has changed is not changed back by who looked at it before', async () => {
    const driver = await createTopologyDriver(webhooks);
    const ask = (requestId: string, more: Partial<WebhookRequested>) => {
      driver.pipe({
        type: 'webhook-requested',
        data: { ...wish, webhook: 'pager', requestId, mode: 'change', ...more },
        key: 'pager',
      });
      return driver.takeOutputs().map(({ type, data }) => ({ type, data: data as unknown as Record<string, unknown> }));
    };
    const [made] = ask('r1', { mode: 'create' });
    const seen = made?.data['updatedAt'] as number;
    driver.advance(10);
    expect(ask('r2', { url: 'https://example.org/b', unlessChangedSince: seen })[0]).toMatchObject({
      type: 'webhook-set',
    });
    expect(ask('r3', { status: 'disabled', unlessChangedSince: seen })).toMatchObject([
      { type: 'webhook-refused', data: { code: 'CONFLICT', reason: expect.stringContaining('changed meanwhile') } },
    ]);
    driver.advance(10);
    expect(ask('r4', { description: 'b', url: 'https://example.org/b' })[0]).toMatchObject({
      type: 'webhook-set',
      data: { url: 'https://example.org/b', status: 'active' },
    });
  });
});

/**
 * Webhooks: who wants to be told of which events, and where. A request that comes again (same webhook and requestId) changes nothing:
 * its answer is on the topic already. Where each has come to is a matter of `egress`.
 */
import { nothing, type Output, type StateView, type Topology } from '../runtime/engine/topology.ts';
import type { WebhookRemovalRequested, WebhookRequested, WebhookRow } from '../schemas/events.ts';
import { webhookIdProblem, webhookProblems } from '../schemas/webhooks.ts';
import { type Decision, decideOnce, decisionKey, stateKey } from './decision-request.ts';

/** Each reads its topic again, so their number is bounded. */
const webhooksMax = 200;

export const webhooks: Topology<'webhook-events'> = {
  name: 'webhooks',
  version: 1,
  input: 'webhook-events',
  outputs: ['webhook-events', 'webhooks'],
  summary: 'makes, changes and removes webhooks, keeps the table of them',

  reads(event) {
    if (event.type !== 'webhook-requested' && event.type !== 'webhook-removal-requested') return {};
    const { webhook, requestId } = event.data;
    return { keys: [decisionKey(webhook, requestId), webhookKey(webhook), countKey] };
  },

  fold(event, state) {
    if (event.type === 'webhook-requested')
      return answer(event.data, state, () => set(event.data, state, event.timeMs));
    if (event.type === 'webhook-removal-requested') return answer(event.data, state, () => remove(event.data, state));
    return nothing;
  },
};

type Decided = Decision & { readonly code?: string };

function answer(
  { webhook, requestId, actor }: WebhookRequested | WebhookRemovalRequested,
  state: StateView,
  decide: () => Decided,
) {
  let code = 'INVALID_ARGUMENT';
  const decision = (): Decision => {
    const decided = decide();
    code = decided.code ?? code;
    return decided;
  };
  const request = { subject: webhook, requestId, nameProblem: webhookIdProblem(webhook) };
  return decideOnce(request, state, decision, (reason) => ({
    topic: 'webhook-events',
    type: 'webhook-refused',
    data: { webhook, requestId, code, reason, actor },
    key: webhook,
  }));
}

function set(request: WebhookRequested, state: StateView, timeMs: number): Decided {
  const { webhook, requestId, mode, unlessChangedSince = null, ...wanted } = request;
  const known = state.get<WebhookRow>(webhookKey(webhook));
  if (mode === 'create' && known !== undefined)
    return { code: 'CONFLICT', refused: `there is a webhook '${webhook}' already` };
  if (mode !== 'create' && known === undefined)
    return { code: 'NOT_FOUND', refused: `there is no webhook '${webhook}'` };
  if (known !== undefined && known.topic !== wanted.topic)
    return { code: 'CONFLICT', refused: `webhook '${webhook}' is on the topic '${known.topic}': make another one` };
  if (known !== undefined && unlessChangedSince !== null && known.updatedAt !== unlessChangedSince)
    return { code: 'CONFLICT', refused: `webhook '${webhook}' was changed meanwhile: look at it and ask again` };
  const number = state.get<number>(countKey) ?? 0;
  if (known === undefined && number >= webhooksMax)
    return { code: 'CONFLICT', refused: `there are ${number} webhooks, the most allowed: remove one first` };
  const [problem] = webhookProblems(wanted);
  if (problem !== undefined) return { refused: `webhook '${webhook}': ${problem}` };
  const row: WebhookRow = {
    ...wanted,
    webhook,
    origin: known?.origin ?? requestId,
    createdAt: known?.createdAt ?? timeMs,
    updatedAt: timeMs,
  };
  return {
    put: [
      [webhookKey(webhook), row],
      [countKey, known === undefined ? number + 1 : number],
    ],
    emit: [
      { topic: 'webhook-events', type: 'webhook-set', data: { ...row, requestId }, key: webhook },
      { topic: 'webhooks', type: 'webhook-row', data: row, key: webhook },
    ],
  };
}

function remove({ webhook, requestId, actor }: WebhookRemovalRequested, state: StateView): Decided {
  const known = state.get<WebhookRow>(webhookKey(webhook));
  if (known === undefined) return { code: 'NOT_FOUND', refused: `there is no webhook '${webhook}'` };
  const forgotten: Output = { topic: 'webhooks', type: 'webhook-row', data: known, key: webhook, tombstone: true };
  return {
    put: [[countKey, (state.get<number>(countKey) ?? 1) - 1]],
    delete: [webhookKey(webhook)],
    emit: [
      { topic: 'webhook-events', type: 'webhook-removed', data: { webhook, requestId, actor }, key: webhook },
      forgotten,
    ],
  };
}

const countKey = 'webhooks';
const webhookKey = (webhook: string): string => stateKey('webhook', webhook);

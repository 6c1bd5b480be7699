/** What a webhook may ask for: the one place that judges it, for the door and for the fold. */
import { type EventFilter, filterMiss, filterProblems } from './event-filter.ts';
import { isTopicName, type TopicEntry, topics } from './topics.ts';
import { isWebhookFormat, webhookFormatNames } from './webhook-formats.ts';

export interface WebhookWish {
  readonly url: string;
  readonly topic: string;
  /** Empty: all. */
  readonly types: readonly string[];
  /** Empty: all. */
  readonly deployment: string;
  /** JSON of an event filter; empty: none. */
  readonly filter: string;
  readonly format: string;
  readonly status: string;
  readonly positions: readonly number[];
}

/** Topics that say things to the platform itself, or of webhooks: a webhook on them would tell of its own deliveries. */
const notSent: readonly string[] = ['snapshots', 'webhook-events', 'webhooks', 'webhook-deliveries'];

/** What is wrong; empty when nothing is. Whether the address may be reached is for who sends to judge. */
export function webhookProblems(wish: WebhookWish): readonly string[] {
  const problems: string[] = [];
  if (wish.url.length > 2_048 || !/^https?:$/.test(URL.canParse(wish.url) ? new URL(wish.url).protocol : ''))
    problems.push(`url must be an http or https address of at most 2048 characters, got '${wish.url.slice(0, 80)}'`);
  const entry: TopicEntry | undefined = isTopicName(wish.topic) ? topics[wish.topic] : undefined;
  if (entry === undefined || entry.access !== 'closed' || entry.cleanup !== 'delete' || notSent.includes(wish.topic))
    problems.push(`events of the topic '${wish.topic.slice(0, 64)}' are not sent to webhooks`);
  const unknown = wish.types.filter((type) => entry !== undefined && !entry.events.includes(type));
  if (unknown.length > 0)
    problems.push(`topic '${wish.topic}' has no event ${unknown.join(', ')}: it has ${entry?.events.join(', ')}`);
  if (!isWebhookFormat(wish.format))
    problems.push(`format must be one of ${webhookFormatNames.join(', ')}, got '${wish.format.slice(0, 40)}'`);
  if (!['active', 'disabled'].includes(wish.status))
    problems.push(`status must be active or disabled, got '${wish.status.slice(0, 40)}'`);
  if (wish.filter !== '') problems.push(...filterTextProblems(wish.filter));
  return problems;
}

export function webhookIdProblem(id: string): string | undefined {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(id)
    ? undefined
    : `a webhook's id must be 1 to 64 letters, digits, '.', '_' or '-', and begin with a letter or digit, got '${id.slice(0, 70)}'`;
}

export interface SentEvent {
  readonly id: string;
  readonly key: string;
  readonly timeMs: number;
  readonly type: string;
  readonly data: object;
}

/** Whether the webhook wants the event. Filters see the attributes `id`, `type`, `subject`, `time`, and `data.…`. */
export function wants(wish: Pick<WebhookWish, 'types' | 'deployment' | 'filter'>, event: SentEvent): boolean {
  const payload = event.data as Readonly<Record<string, unknown>>;
  if (wish.types.length > 0 && !wish.types.includes(event.type)) return false;
  if (wish.deployment !== '' && payload['deployment'] !== wish.deployment) return false;
  if (wish.filter === '') return true;
  const { id, type, key, timeMs } = event;
  const attributes = { id, type, subject: key, time: new Date(timeMs).toISOString() };
  return filterMiss(JSON.parse(wish.filter) as EventFilter, { attributes, payload }) === undefined;
}

function filterTextProblems(text: string): readonly string[] {
  try {
    return filterProblems(JSON.parse(text));
  } catch {
    return ['filter must be JSON'];
  }
}

import type { EventData } from './events.generated.ts';
import type { TopicName } from './topics.ts';

export type * from './events.generated.ts';

/** Topics that carry schema-bound events (all but `dead-letters`, which keeps original bytes). */
export type EventTopic = { [T in TopicName]: keyof EventData[T] extends never ? never : T }[TopicName];

export type EventName<T extends EventTopic> = Extract<keyof EventData[T], string>;

/** An event of topic T: `type` tells which, `data` is typed by it. */
export type EventOf<T extends EventTopic> = T extends EventTopic
  ? { [E in EventName<T>]: { readonly type: E; readonly data: EventData[T][E] } }[EventName<T>]
  : never;

/** An event that is to be written: topic, type and data belong together. */
export type AnyEvent = {
  [T in EventTopic]: {
    [E in EventName<T>]: { readonly topic: T; readonly type: E; readonly data: EventData[T][E] };
  }[EventName<T>];
}[EventTopic];

/** `ce_type` of an event. */
export function cloudEventType(topic: string, event: string): string {
  return `millrace.${topic}.${event}.v1`;
}

/** Registry subject of an event (record-name strategy). */
export function subjectOf(topic: string, event: string): string {
  return `millrace.${topic.replaceAll('-', '_')}.${pascalCase(event)}`;
}

function pascalCase(event: string): string {
  return event.replace(/(^|-)([a-z])/g, (_, __, letter: string) => letter.toUpperCase());
}

import { nearest } from '../../runtime/config/nearest.ts';
import { MillraceError, messageOf } from '../../runtime/ports/errors.ts';
import type { EventTopic } from '../../schemas/events.ts';
import { isTopicName, topicNames, topics } from '../../schemas/topics.ts';
import type { TopicEvent } from '../../sdk/client/index.ts';
import { wholeNumber } from '../arguments.ts';
import { type CommandModule, optionsOf, print, say } from '../command.ts';
import { withPlatform } from '../session.ts';
import { cyan, dim } from '../ui/style.ts';
import { untilStopped } from '../until-stopped.ts';

interface TailOptions {
  readonly fromBeginning?: boolean;
  readonly from?: string;
  readonly limit?: string;
}

export const command: CommandModule = {
  configure: (cmd) =>
    cmd
      .argument('<topic>')
      .option('--from-beginning', 'everything that is there first')
      .option('--from <partition@offset>', 'from this record on, and the other partitions as they come')
      .option('--limit <n>', 'stop after so many events')
      .action(async (name: string) => {
        const options = optionsOf<TailOptions>(cmd);
        const topic = topicOf(name);
        const limit = wholeNumber('--limit', options.limit) ?? Number.POSITIVE_INFINITY;
        const from = startOf(options);
        await withPlatform(options, async ({ client }) => {
          let seen = 0;
          let broken = false;
          let enough = (): void => undefined;
          const limited = new Promise<void>((resolve) => (enough = resolve));
          const onEvent = (event: TopicEvent<EventTopic>): void => {
            broken = false;
            if (seen >= limit) return;
            seen += 1;
            print(options.json === true ? asJson(event) : asLine(event));
            if (seen >= limit) enough();
          };
          const onBroken = (error: unknown): void => {
            if (!broken) say(`${messageOf(error)}; it goes on where it broke off`);
            broken = true;
          };
          const subscription = client.subscribe(topic, onEvent, { from, onBroken });
          await Promise.race([limited, subscription.done, untilStopped()]);
          await subscription.close();
        });
      }),
};

function asJson({ type, data, key, partition, offset, id, timeMs }: TopicEvent<EventTopic>): string {
  return JSON.stringify({ type, key, partition, offset, id, timeMs, data });
}

function asLine({ type, data, key, partition, offset, timeMs }: TopicEvent<EventTopic>): string {
  const when = new Date(timeMs).toISOString();
  return `${dim(when)} ${dim(`${partition}@${offset}`)} ${cyan(type)} ${key} ${JSON.stringify(data)}`;
}

function topicOf(name: string): EventTopic {
  const isEvents = (topic: (typeof topicNames)[number]): boolean =>
    topics[topic].access === 'closed' && topics[topic].events.length > 0;
  if (isTopicName(name) && isEvents(name)) return name as EventTopic;
  if (isTopicName(name) && topics[name].access === 'open')
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `'${name}' is open: anybody's bytes lie there, which only a Kafka client shows. What became of each is on operations (triggers) and predictions (requests, feedback)`,
    );
  const known = topicNames.filter(isEvents);
  const near = nearest(name, known, 3);
  const meant = near === undefined ? '' : `Did you mean '${near}'? `;
  throw new MillraceError('INVALID_ARGUMENT', `'${name}' is no topic to follow. ${meant}There are ${known.join(', ')}`);
}

function startOf({ from, fromBeginning }: TailOptions): 'earliest' | 'latest' | `${number}@${number}` {
  if (from === undefined) return fromBeginning === true ? 'earliest' : 'latest';
  if (fromBeginning !== true && /^\d{1,5}@\d{1,15}$/.test(from)) return from as `${number}@${number}`;
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `--from must be <partition>@<offset>, as tail prints it, and not beside --from-beginning; got '${from}'`,
  );
}

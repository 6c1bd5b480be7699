import { MillraceError } from '../../runtime/ports/errors.ts';
import type { EventTopic } from '../../schemas/events.ts';
import { isTopicName, topicNames, topics } from '../../schemas/topics.ts';
import { type CommandModule, optionsOf, print } from '../command.ts';
import { withPlatform } from '../session.ts';
import { cyan, dim } from '../ui/style.ts';
import { untilStopped } from '../until-stopped.ts';

export const command: CommandModule = {
  configure: (cmd) =>
    cmd
      .argument('<topic>')
      .option('--from-beginning', 'everything that is there first')
      .option('--limit <n>', 'stop after so many events')
      .action(async (name: string) => {
        const options = optionsOf<{ fromBeginning?: boolean; limit?: string }>(cmd);
        if (!isTopicName(name) || topics[name].events.length === 0 || topics[name].access === 'open') {
          const known = topicNames.filter(
            (topic) => topics[topic].access === 'closed' && topics[topic].events.length > 0,
          );
          throw new MillraceError('INVALID_ARGUMENT', `'${name}' is no topic to follow; there are ${known.join(', ')}`);
        }
        const limit = options.limit === undefined ? Number.POSITIVE_INFINITY : Number(options.limit);
        await withPlatform(options, async ({ client }) => {
          let seen = 0;
          const done = new Promise<void>((resolve) => {
            const subscription = client.subscribe(
              name as EventTopic,
              (event) => {
                if (seen >= limit) return;
                seen += 1;
                const { type, data, key, partition, offset, id, timeMs } = event;
                if (options.json === true) print(JSON.stringify({ type, key, partition, offset, id, timeMs, data }));
                else
                  print(
                    `${dim(new Date(timeMs).toISOString())} ${dim(`${partition}@${offset}`)} ${cyan(type)} ${key} ${JSON.stringify(data)}`,
                  );
                if (seen >= limit) resolve();
              },
              { from: options.fromBeginning === true ? 'earliest' : 'latest' },
            );
            void untilStopped().then(resolve);
            process.once('exit', () => void subscription.close());
          });
          await done;
        });
      }),
};

import { Option } from 'commander';
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { DeliveryAttempt, WebhookDeliveries, WebhookOptions } from '../../sdk/client/index.ts';
import { wholeNumber } from '../arguments.ts';
import { type CommandModule, next, optionsOf, say, show } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { withPlatform } from '../session.ts';
import { dim, green, red, yellow } from '../ui/style.ts';
import { ago, duration, table } from '../ui/table.ts';

interface CreateOptions extends Omit<WebhookOptions, 'filter' | 'id' | 'url'> {
  readonly to: string;
  readonly type?: readonly string[];
  readonly filter?: string;
}

export const command: CommandModule = {
  configure: (cmd) => {
    const create = cmd
      .command('create')
      .description('send events of a topic to an address; its signing secret is shown this once')
      .argument('[id]', 'its id (default: one is made)')
      .requiredOption('--to <url>', 'where requests go')
      .requiredOption('--topic <name>', 'drift, alerts, predictions, …')
      .option('--type <event...>', 'only these events of the topic')
      .option('--deployment <name>', 'only events of this deployment')
      .option('--filter <json>', 'only events that pass, like {"gt": {"data.version": 3}}')
      .addOption(new Option('--format <format>', 'of its requests').choices(['standard', 'mlflow']).default('standard'))
      .option('--secret <text>', 'signing secret (default: one is made)')
      .option('--description <text>', 'for people')
      .addOption(new Option('--from <where>', 'where it begins').choices(['latest', 'earliest']).default('latest'));
    create.action(async (id: string | undefined) => {
      const options = optionsOf<CreateOptions>(create);
      const { to, topic, type, deployment, filter, format, secret, description, from } = options;
      const wish = { topic, types: type, deployment, format, secret, description, from };
      await withPlatform(options, async ({ client }) => {
        const made = await client.webhooks.create({ ...wish, id, url: to, filter: filterOf(filter) });
        show(options, made, () => `webhook ${made.id}\nsecret  ${made.secret}`);
        next(options, `millrace webhooks test ${made.id}`, `millrace webhooks deliveries ${made.id}`);
      });
    });

    const list = cmd.command('list').description('webhooks');
    list.action(async () => {
      const options = optionsOf(list);
      await withPlatform(options, async ({ client }) => {
        show(options, await client.webhooks.list(), (rows) =>
          rows.length === 0
            ? dim('there are none')
            : table(rows, [
                { title: 'ID', value: (row) => row.id },
                { title: 'TOPIC', value: ({ topic, types }) => [topic, ...types].join(' ') },
                { title: 'DEPLOYMENT', value: (row) => row.deployment ?? dim('all') },
                { title: 'STATUS', value: ({ status }) => (status === 'active' ? green(status) : yellow(status)) },
                { title: 'FORMAT', value: ({ format }) => format },
                { title: 'TO', value: ({ url }) => url },
              ]),
        );
      });
    });

    const remove = cmd.command('remove').description('send nothing more').argument('<id>');
    remove.action(async (id: string) => {
      const options = optionsOf(remove);
      await withPlatform(options, async ({ client }) => {
        await client.webhooks.remove(id);
        show(options, { id, removed: true }, () => `webhook ${id} is removed`);
      });
    });

    for (const [verb, status, does] of [
      ['pause', 'disabled', 'send nothing until it is resumed; events wait on the log'],
      ['resume', 'active', 'go on where it was paused'],
    ] as const) {
      const change = cmd.command(verb).description(does).argument('<id>');
      change.action(async (id: string) => {
        const options = optionsOf(change);
        await withPlatform(options, async ({ client }) => {
          show(options, await client.webhooks.change(id, { status }), () => `webhook ${id} is ${status}`);
        });
      });
    }

    const test = cmd.command('test').description('send a request that tells of no event').argument('<id>');
    test.action(async (id: string) => {
      const options = optionsOf(test);
      await withPlatform(options, async ({ client }) => {
        const result = await client.webhooks.test(id);
        show(options, result, ({ delivered, status, reason, durationMs }) =>
          delivered ? green(`answered ${status} after ${duration(durationMs)}`) : red(`not delivered: ${reason}`),
        );
        if (!result.delivered) process.exitCode = exitCode.failure;
      });
    });

    const again = cmd
      .command('redeliver')
      .description('send an event again, now, under the id that it had')
      .argument('<id>', 'of the webhook')
      .argument('<delivery-id>', 'as `deliveries` shows it');
    again.action(async (id: string, deliveryId: string) => {
      const options = optionsOf(again);
      await withPlatform(options, async ({ client }) => {
        const attempt = await client.webhooks.redeliver(id, deliveryId);
        show(options, attempt, outcomeText);
        if (attempt.outcome !== 'delivered') process.exitCode = exitCode.failure;
      });
    });

    const deliveries = cmd
      .command('deliveries')
      .description('what became of the newest requests')
      .argument('<id>')
      .addOption(
        new Option('--outcome <outcome>', 'only requests with this outcome').choices([
          'delivered',
          'failed',
          'dead',
          'expired',
        ]),
      )
      .option('--limit <n>', 'at most so many', '20')
      .option('--cursor <cursor>', 'the page behind another one');
    deliveries.action(async (id: string) => {
      const options = optionsOf<{ outcome?: string; limit: string; cursor?: string }>(deliveries);
      const { outcome, limit, cursor } = options;
      await withPlatform(options, async ({ client }) => {
        const found = await client.webhooks.deliveries(id, { outcome, limit: wholeNumber('--limit', limit), cursor });
        show(options, found, drawDeliveries);
        if (found.behind > 0) say(`${found.behind} records of the topic are still to come`);
        if (found.next !== null) next(options, `--cursor ${found.next}`);
      });
    });
  },
};

function filterOf(text: string | undefined): WebhookOptions['filter'] {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as WebhookOptions['filter']);
  } catch (error) {
    throw new MillraceError('INVALID_ARGUMENT', `--filter is no JSON: ${String(text).slice(0, 80)}`, { cause: error });
  }
}

function drawDeliveries({ attempts }: WebhookDeliveries): string {
  if (attempts.length === 0) return dim('nothing was sent yet');
  return table(attempts, [
    { title: 'WHEN', value: ({ timeMs }) => ago(timeMs) },
    { title: 'EVENT', value: ({ type, partition, offset }) => `${type} ${dim(`${partition}@${offset}`)}` },
    { title: 'ATTEMPT', value: ({ attempt }) => attempt, align: 'right' },
    { title: 'OUTCOME', value: outcomeText },
    { title: 'TOOK', value: ({ durationMs }) => duration(durationMs), align: 'right' },
    { title: 'ID', value: ({ deliveryId }) => dim(deliveryId) },
  ]);
}

function outcomeText({ outcome, status, reason, nextAttemptMs }: DeliveryAttempt): string {
  if (outcome === 'delivered') return green(`delivered (${status})`);
  const text = `${outcome}: ${reason}`;
  if (outcome !== 'failed') return red(text);
  return yellow(`${text}; again at ${new Date(nextAttemptMs).toISOString()}`);
}

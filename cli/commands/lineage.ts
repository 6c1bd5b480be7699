/** OpenLineage events as they come, for a collector such as Marquez. */
import { setTimeout } from 'node:timers/promises';
import { messageOf } from '../../runtime/ports/errors.ts';
import { namedValue, wholeNumber } from '../arguments.ts';
import { type CommandModule, optionsOf, print, repeatable } from '../command.ts';
import { withPlatform } from '../session.ts';
import { untilStopped } from '../until-stopped.ts';

interface Options {
  readonly fromBeginning?: boolean;
  readonly limit?: string;
  readonly to?: string;
  readonly header: readonly string[];
}

/** Between two tries of a collector that is away, milliseconds: doubled each time. */
const retryMs = { first: 250, most: 10_000 };
const answerMs = 30_000;

export const command: CommandModule = {
  configure: (cmd) =>
    cmd
      .option('--from-beginning', 'everything that is there first')
      .option('--limit <n>', 'stop after so many events')
      .option('--to <url>', 'post each event there, such as http://localhost:5000/api/v1/lineage')
      .option('--header <name:value>', 'header of these posts; may be repeated', repeatable, [])
      .action(async () => {
        const options = optionsOf<Options>(cmd);
        const limit = wholeNumber('--limit', options.limit) ?? Number.POSITIVE_INFINITY;
        const headers = Object.fromEntries(
          options.header
            .map((pair) => namedValue('--header', pair, ':'))
            .map(([name, value]) => [name.trim(), value.trim()] as const),
        );
        const stopping = new AbortController();
        await withPlatform(options, async ({ client }) => {
          let told = 0;
          const subscription = client.subscribe(
            'lineage',
            async ({ data }) => {
              if (told >= limit || stopping.signal.aborted) return;
              if (options.to === undefined) print(data.event);
              else await post(options.to, headers, data.event, stopping.signal);
              told += 1;
              if (told >= limit) stopping.abort();
            },
            { from: options.fromBeginning === true ? 'earliest' : 'latest' },
          );
          const enough = new Promise<void>((resolve) =>
            stopping.signal.addEventListener('abort', () => resolve(), { once: true }),
          );
          await Promise.race([untilStopped(), enough, subscription.done]);
          stopping.abort();
          await subscription.close();
        });
      }),
};

/** In order, again until it is taken; what the collector refuses is told and passed over. */
async function post(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  signal: AbortSignal,
): Promise<void> {
  for (let waitMs = retryMs.first; !signal.aborted; waitMs = Math.min(2 * waitMs, retryMs.most)) {
    let why: string;
    try {
      const answer = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body,
        signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]),
      });
      if (answer.ok) return;
      why = `${url} answered ${answer.status}: ${(await answer.text()).slice(0, 300)}`;
      if (answer.status < 500 && answer.status !== 429 && answer.status !== 408) {
        process.stderr.write(`not taken: ${why}\n`);
        return;
      }
    } catch (error) {
      why = `${url} cannot be reached: ${messageOf(error)}`;
    }
    if (signal.aborted) return;
    process.stderr.write(`${why}; again in ${waitMs} ms\n`);
    await setTimeout(waitMs, undefined, { signal }).catch(() => undefined);
  }
}

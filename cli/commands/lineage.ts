/** OpenLineage events as they come, for a collector such as Marquez. */
import { MillraceError, messageOf } from '../../runtime/ports/errors.ts';
import { type CommandModule, optionsOf, print } from '../command.ts';
import { withPlatform } from '../session.ts';
import { untilStopped } from '../until-stopped.ts';

interface Options {
  readonly fromBeginning?: boolean;
  readonly limit?: string;
  readonly to?: string;
  readonly header?: readonly string[];
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
      .option('--header <name:value>', 'header of these posts; may be repeated', collect, [])
      .action(async () => {
        const options = optionsOf<Options>(cmd);
        const limit = options.limit === undefined ? Number.POSITIVE_INFINITY : Number(options.limit);
        if (!(limit >= 1)) throw new MillraceError('INVALID_ARGUMENT', `--limit is ${options.limit}: give 1 or more`);
        const headers = headersOf(options.header ?? []);
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

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function headersOf(pairs: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf(':');
      if (at < 1) throw new MillraceError('INVALID_ARGUMENT', `--header is '${pair}': give it as name:value`);
      return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()] as const;
    }),
  );
}

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
    await new Promise<void>((resolve) => setTimeout(resolve, waitMs));
  }
}

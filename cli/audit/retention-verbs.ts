/** `audit retention`, `audit hold`, `audit release`: how long sealed files are kept. */
import type { Command } from 'commander';
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { Seals } from '../../sdk/client/index.ts';
import { wholeNumber } from '../arguments.ts';
import { next, optionsOf, show } from '../command.ts';
import { withPlatform } from '../session.ts';
import { dim } from '../ui/style.ts';
import { table } from '../ui/table.ts';

export function retentionVerbs(cmd: Command): void {
  const retention = cmd
    .command('retention')
    .description('how long sealed files are kept, and which holds are in force; with --keep-days it is set')
    .option('--keep-days <days>', "days after the newest record of a file, or 'forever'")
    .option('--topic <name>', 'of this audited topic (default: all that have none of their own)')
    .option('--reason <text>', 'why; it is kept');
  retention.action(async () => {
    const options = optionsOf<{ keepDays?: string; topic?: string; reason?: string }>(retention);
    const { keepDays, topic, reason } = options;
    await withPlatform(options, async ({ client }) => {
      if (keepDays === undefined) {
        if (topic !== undefined || reason !== undefined)
          throw new MillraceError('INVALID_ARGUMENT', 'say --keep-days <days> or --keep-days forever to set it');
        const { retention: set, holds } = await client.audit.seals();
        return show(options, { retention: set, holds }, drawRetention);
      }
      const days = daysOf(keepDays);
      if (reason === undefined) throw new MillraceError('INVALID_ARGUMENT', '--reason is missing: why; it is kept');
      const set = await client.audit.setRetention({ topic, keepDays: days, reason });
      show(options, set, () => `sealed files of ${topic ?? 'all topics without their own'} are kept ${kept(days)}`);
    });
  });

  const hold = cmd
    .command('hold')
    .description('keep sealed files from being deleted or redacted until the hold is released')
    .argument('<name>')
    .requiredOption('--reason <text>', 'why; it is kept')
    .option('--topic <name...>', 'of these audited topics (default: all)')
    .option('--since <time>', 'files with records appended at or after: ISO 8601, or milliseconds')
    .option('--until <time>', 'files with records appended before');
  hold.action(async (name: string) => {
    const options = optionsOf<{ reason: string; topic?: readonly string[]; since?: string; until?: string }>(hold);
    const { reason, topic: topics, since, until } = options;
    await withPlatform(options, async ({ client }) => {
      const placed = await client.audit.hold(name, { topics, since, until, reason });
      show(options, placed, () => `${boundsText(placed)} ${dim('is held')}`);
      next(options, `millrace audit release ${name} --reason …`);
    });
  });

  const release = cmd
    .command('release')
    .description('end a hold: what it alone kept goes by its age again')
    .argument('<name>')
    .requiredOption('--reason <text>', 'why; it is kept');
  release.action(async (name: string) => {
    const options = optionsOf<{ reason: string }>(release);
    await withPlatform(options, async ({ client }) => {
      const released = await client.audit.release(name, options.reason);
      show(options, released, () => `the hold '${name}' is released`);
    });
  });
}

function daysOf(text: string): number | null {
  if (text === 'forever') return null;
  return wholeNumber("--keep-days, when it is not 'forever',", text, { most: 99_999 });
}

const kept = (days: number | null): string => (days === null ? 'for ever' : days === 1 ? '1 day' : `${days} days`);

function drawRetention({ retention, holds }: Pick<Seals, 'retention' | 'holds'>): string {
  const set = [...retention].sort((a, b) => a.topic.localeCompare(b.topic));
  const all = set.some(({ topic }) => topic === '')
    ? []
    : [dim('sealed files are kept for ever, where nothing else is set')];
  return [
    ...all,
    ...(set.length === 0
      ? []
      : [
          table(set, [
            { title: 'TOPIC', value: ({ topic }) => (topic === '' ? 'all others' : topic) },
            { title: 'KEPT', value: ({ keepDays }) => kept(keepDays) },
            { title: 'BY', value: ({ actor }) => actor },
            { title: 'REASON', value: ({ reason }) => reason },
          ]),
        ]),
    ...(holds.length === 0
      ? [dim('no hold is in force')]
      : [
          table(holds, [
            { title: 'HOLD', value: ({ name }) => name },
            { title: 'ON', value: boundsText },
            { title: 'BY', value: ({ actor }) => actor },
            { title: 'REASON', value: ({ reason }) => reason },
          ]),
        ]),
  ].join('\n');
}

function boundsText({ topics, sinceMs, untilMs }: Seals['holds'][number]): string {
  const from = sinceMs === null ? '' : ` from ${new Date(sinceMs).toISOString()}`;
  const to = untilMs === null ? '' : ` until ${new Date(untilMs).toISOString()}`;
  return `${topics.length === 0 ? 'all topics' : topics.join(', ')}${from}${to}`;
}

import type { HypotheticalOutcome, TriggerExplanation, TriggerOutcome } from '../../sdk/client/index.ts';
import { type CommandModule, next, optionsOf, show } from '../command.ts';
import { withPlatform } from '../session.ts';
import { bold, cyan, dim, green, red, yellow } from '../ui/style.ts';

export const command: CommandModule = {
  configure: (cmd) => {
    const explain = cmd
      .command('explain')
      .description('what became of an event: the flows that it matched or not, and why')
      .argument(
        '<event-id>',
        'as `millrace trigger` answers it, the id that its publisher gave, or a run id for its end',
      );
    explain.action(async (eventId: string) => {
      const options = optionsOf(explain);
      await withPlatform(options, async ({ client }) => {
        const explanation = await client.explainTrigger(eventId);
        show(options, explanation, drawExplanation);
        const run = explanation.outcomes.find(({ runId }) => runId !== null)?.runId ?? undefined;
        next(options, ...(run === undefined ? [] : [`millrace runs show ${run}`]));
      });
    });
  },
};

/** One line for each trigger: what it did with the event, and why. */
export function drawExplanation({ eventId, name, deliveries, outcomes }: TriggerExplanation): string {
  const lines = [`${bold(name)} ${dim(eventId)}`];
  for (const [index, { at, source, outcome }] of deliveries.entries()) {
    const where = source === null ? '' : ` at ${source.topic}/${source.partition}@${source.offset}`;
    const [became = ''] = outcome.split(':');
    const repeats = deliveries.slice(0, index).some((earlier) => earlier.outcome === 'matched');
    const said = repeats && became === 'matched' ? 'a repeat: the first one counts, also for what it says' : became;
    lines.push(dim(`  came ${index > 0 ? 'again ' : ''}${new Date(at).toISOString()}${where}: ${said}`));
  }
  const judged = new Set(outcomes.map(({ flow, trigger }) => `${flow} ${trigger}`));
  const seen = new Set<string>();
  for (const { flow, trigger, matched, reason } of deliveries.flatMap(({ considered }) => considered)) {
    const key = `${flow} ${trigger}`;
    if (judged.has(key) || seen.has(key)) continue;
    seen.add(key);
    lines.push(
      matched
        ? `  ${cyan(flow)} ${trigger}: ${yellow('not judged yet')}`
        : `  ${cyan(flow)} ${trigger}: ${dim('no match')}, ${reason}`,
    );
  }
  for (const outcome of outcomes) lines.push(`  ${drawOutcome(outcome)}`);
  if (outcomes.length === 0 && seen.size === 0) lines.push(dim('  no deployed flow waits for it'));
  return lines.join('\n');
}

/** What an event would do that was not sent. */
export function drawHypothetical(outcomes: readonly HypotheticalOutcome[]): string {
  if (outcomes.length === 0) return dim('no deployed flow waits for it');
  return outcomes
    .map((one) => {
      const parameters = Object.keys(one.parameters).length === 0 ? '' : dim(` ${JSON.stringify(one.parameters)}`);
      return `${drawOutcome({ ...one, runId: null, untilMs: null })}${parameters}`;
    })
    .join('\n');
}

function drawOutcome({
  flow,
  version,
  trigger,
  outcome,
  reason,
  runId,
  with: others,
  untilMs,
}: Pick<TriggerOutcome, 'flow' | 'version' | 'trigger' | 'outcome' | 'reason' | 'runId' | 'with' | 'untilMs'>): string {
  const parts = [
    reason,
    runId === null ? '' : `run ${runId}`,
    others.length === 0 ? '' : `with ${others.join(', ')}`,
    untilMs === null ? '' : `until ${new Date(untilMs).toISOString()}`,
  ].filter((part) => part !== '');
  return `${cyan(flow)} v${version} ${trigger}: ${colour(outcome)}${parts.length === 0 ? '' : `, ${parts.join(', ')}`}`;
}

function colour(outcome: string): string {
  if (outcome === 'started' || outcome === 'joined') return green(outcome);
  return outcome === 'waiting' || outcome === 'queued' ? yellow(outcome) : red(outcome);
}

import { writeFileSync } from 'node:fs';
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { Client } from '../../sdk/client/index.ts';
import { type CommandModule, optionsOf, repeatable, say, show } from '../command.ts';
import { withPlatform } from '../session.ts';
import { comparisonHtml, comparisonSvg } from '../tracking/comparison-page.ts';
import { comparisonText } from '../tracking/comparison-text.ts';
import { compareRuns, type Comparison } from '../tracking/comparison.ts';

interface CompareOptions {
  readonly metric: readonly string[];
  readonly all?: true;
  readonly svg?: string;
  readonly html?: string;
}

const runsMax = 50;
const curvesMax = 12;

export const command: CommandModule = {
  configure: (cmd) => {
    cmd
      .argument('<run-id...>', 'two or more')
      .option('--metric <key>', 'curve to draw (repeatable; default: all that have several points)', repeatable, [])
      .option('--all', 'also what is the same everywhere')
      .option('--svg <file>', 'the curves as a picture')
      .option('--html <file>', 'table and curves as a page that needs no network');
    cmd.action(async (runIds: readonly string[]) => {
      const options = optionsOf<CompareOptions>(cmd);
      if (runIds.length < 2 || runIds.length > runsMax) {
        throw new MillraceError('INVALID_ARGUMENT', `compare takes 2 to ${runsMax} runs, got ${runIds.length}`);
      }
      await withPlatform(options, async ({ client }) => {
        const comparison = await comparisonOf(client, runIds, options.metric);
        if (options.svg !== undefined) written(options.svg, comparisonSvg(comparison));
        if (options.html !== undefined) written(options.html, comparisonHtml(comparison));
        show(options, comparison, () => comparisonText(comparison, options.all === true));
      });
    });
  },
};

async function comparisonOf(client: Client, runIds: readonly string[], asked: readonly string[]): Promise<Comparison> {
  const runs = await Promise.all(runIds.map(async (runId) => await client.tracking.run(runId)));
  const known = [...new Set(runs.flatMap(({ metrics }) => Object.keys(metrics)))].sort();
  const missing = asked.filter((metric) => !known.includes(metric));
  if (missing.length > 0) {
    throw new MillraceError(
      'NOT_FOUND',
      `no run has the metric ${missing.join(', ')}; there are ${known.join(', ') || 'none'}`,
    );
  }
  const curves: Comparison['curves'][number][] = [];
  for (const metric of asked.length > 0 ? asked : known) {
    if (curves.length >= curvesMax && asked.length === 0) break;
    const charted = await client.tracking.chart(runIds, metric);
    const points = runIds.map((runId) => charted.get(runId) ?? []);
    if (asked.length > 0 || points.some(({ length }) => length > 1)) curves.push({ metric, points });
  }
  return { runs, rows: compareRuns(runs), curves };
}

function written(file: string, text: string): void {
  writeFileSync(file, text);
  say(`wrote ${file}`);
}

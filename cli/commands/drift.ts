import { writeFile } from 'node:fs/promises';
import type { DriftReplay, ShownDrift } from '../../sdk/client/index.ts';
import { wholeNumber } from '../arguments.ts';
import { type CommandModule, optionsOf, say, show } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { withPlatform } from '../session.ts';
import { distributionSvg, distributionText } from '../ui/distribution-plot.ts';
import { dim, yellow } from '../ui/style.ts';
import { ago, table } from '../ui/table.ts';

type Feature = ShownDrift['finding']['features'][number];

export const command: CommandModule = {
  configure: (cmd) => {
    const list = cmd
      .command('list')
      .description('drift findings, newest first')
      .option('--deployment <name>', 'only of this deployment')
      .option('--limit <n>', 'at most so many', '20');
    list.action(async () => {
      const options = optionsOf<{ deployment?: string; limit: string }>(list);
      const { deployment, limit } = options;
      await withPlatform(options, async ({ client }) => {
        const findings = await client.maintenance.findings({
          kind: 'drift',
          limit: wholeNumber('--limit', limit),
          ...(deployment === undefined ? {} : { deployment }),
        });
        show(options, findings, (rows) =>
          rows.length === 0
            ? dim('no window was judged yet')
            : table(rows, [
                { title: 'DEPLOYMENT', value: (row) => row.deployment },
                { title: 'WHEN', value: ({ at }) => ago(at) },
                { title: 'SAYS', value: ({ summary, positive }) => (positive ? yellow(summary) : summary) },
                { title: 'ID', value: ({ id }) => dim(id) },
              ]),
        );
      });
    });

    const shown = cmd
      .command('show')
      .argument('<id>', 'of a finding')
      .description('the numbers of a finding, and its reference against its window')
      .option('--svg <file>', 'also draw it into this file');
    shown.action(async (id: string) => {
      const options = optionsOf<{ svg?: string }>(shown);
      await withPlatform(options, async ({ client }) => {
        const found = await client.drift.show(id);
        show(options, found, draw);
        if (options.svg === undefined) return;
        const { deployment, detector } = found.finding;
        await writeFile(options.svg, distributionSvg(`${deployment}: ${detector}, ${id}`, found.distributions));
        say(`drawn into ${options.svg}`);
      });
    });

    const replay = cmd
      .command('replay')
      .argument('<id>', 'of a finding')
      .description('compute a finding again from the rows at the positions that it names');
    replay.action(async (id: string) => {
      const options = optionsOf(replay);
      await withPlatform(options, async ({ client }) => {
        const again = await client.drift.replay(id);
        show(options, again, drawReplay);
        if (!again.same) process.exitCode = exitCode.failure;
      });
    });
  },
};

function draw({ finding, distributions, problem }: ShownDrift): string {
  const { deployment, deploymentVersion, detector, method, methodVersion, target, rows, drifted } = finding;
  const { rowsUsed, rowsSeen, lateRows, referenceKind, referenceHash, openedAt, closedAt, closedBy, correction } =
    finding;
  const notes = [
    rowsUsed < rows ? `sampled to ${rowsUsed}` : '',
    rowsSeen > rows ? `of ${rowsSeen} that were seen` : '',
    lateRows > 0 ? `${lateRows} too late` : '',
  ].filter((note) => note !== '');
  return [
    `${deployment}, version ${deploymentVersion}: ${drifted ? yellow('drift') : 'no drift'} by ${detector} (${method} v${methodVersion}) in the ${target}`,
    `window     ${rows} rows${notes.length > 0 ? ` (${notes.join(', ')})` : ''}, ${new Date(openedAt).toISOString()} to ${new Date(closedAt).toISOString()}, closed by ${closedBy}`,
    `reference  ${referenceKind}${referenceHash === '' ? '' : ` ${dim(referenceHash.slice(0, 12))}`}, ${finding.referenceRows} rows`,
    `correction ${correction}`,
    '',
    table(finding.features, [
      { title: 'COLUMN', value: ({ name, drifted: moved }) => (moved ? yellow(name) : name) },
      { title: 'TEST', value: ({ test }) => test },
      { title: 'STATISTIC', value: ({ statistic }) => number(statistic) },
      { title: 'P', value: ({ pValue }) => number(pValue) },
      { title: 'THRESHOLD', value: ({ threshold }) => number(threshold) },
      { title: 'EFFECT', value: ({ effectSize }) => number(effectSize) },
      { title: 'AT LEAST', value: ({ minEffectSize }) => number(minEffectSize) },
      { title: 'PSI', value: ({ psi }) => number(psi) },
    ]),
    ...(problem === null ? [] : ['', dim(`no distributions: ${problem}`)]),
    ...distributions.map((distribution) => `\n${distributionText(distribution)}`),
  ].join('\n');
}

function drawReplay({ same, rows, recorded, replayed, detector, method }: DriftReplay): string {
  const again = new Map(replayed.map((feature) => [feature.name, feature]));
  const pair = (of: (feature: Feature) => number) => (feature: Feature) => {
    const other = again.get(feature.name);
    const [before, now] = [number(of(feature)), other === undefined ? '-' : number(of(other))];
    return before === now ? before : yellow(`${before} → ${now}`);
  };
  return [
    `${same ? 'the same numbers' : yellow('other numbers')} by ${detector} (${method}) from ${rows} rows of the log`,
    '',
    table(recorded, [
      { title: 'COLUMN', value: ({ name }) => name },
      { title: 'STATISTIC', value: pair(({ statistic }) => statistic) },
      { title: 'P', value: pair(({ pValue }) => pValue) },
      { title: 'EFFECT', value: pair(({ effectSize }) => effectSize) },
    ]),
  ].join('\n');
}

/** JSON brings what it has no number for as a text. */
function number(value: number | string): string {
  if (typeof value === 'string') return value === 'NaN' ? '-' : value;
  return Number.isNaN(value) ? '-' : String(Number(value.toPrecision(4)));
}

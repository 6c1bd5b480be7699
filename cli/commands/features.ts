import { writeFile } from 'node:fs/promises';
import type { FeatureOverTime, FeatureStatistics } from '../../sdk/client/index.ts';
import { wholeNumber } from '../arguments.ts';
import { type CommandModule, next, optionsOf, say, show } from '../command.ts';
import { withPlatform } from '../session.ts';
import { featureHtml, featureSvg } from '../ui/feature-card.ts';
import { bar, sparkline } from '../ui/plot.ts';
import { dim, yellow } from '../ui/style.ts';
import { table } from '../ui/table.ts';

interface FeatureOptions {
  readonly feature?: string;
  readonly deploymentVersion?: string;
  readonly since?: string;
  readonly until?: string;
  readonly points: string;
  readonly svg?: string;
  readonly html?: string;
}

export const command: CommandModule = {
  configure: (cmd) => {
    cmd
      .description('how the values of features and outputs of a deployment lay over time')
      .argument('<deployment>')
      .option('--feature <name>', 'only this feature or output, with its distribution')
      .option('--deployment-version <n>', 'only this version (default: all together)')
      .option('--since <time>', 'ISO 8601 or milliseconds (default: a day ago)')
      .option('--until <time>', 'windows that began before, ISO 8601 or milliseconds')
      .option('--points <n>', 'pieces of time', '60')
      .option('--svg <file>', 'draw them')
      .option('--html <file>', 'a page with pictures and numbers, which needs no network');
    cmd.action(async (deployment: string) => {
      const options = optionsOf<FeatureOptions>(cmd);
      const { feature, since, until, svg, html } = options;
      await withPlatform(options, async ({ client }) => {
        const found = await client.featureStatistics({
          ...{ deployment, feature, since, until },
          version: wholeNumber('--deployment-version', options.deploymentVersion),
          points: wholeNumber('--points', options.points),
        });
        show(options, found, feature === undefined ? overview : inDetail);
        if (svg !== undefined) await writeFile(svg, featureSvg(found));
        if (html !== undefined) await writeFile(html, featureHtml(found));
        for (const file of [svg, html]) if (file !== undefined) say(`wrote ${file}`);
        const [first] = found.features;
        if (feature === undefined && first !== undefined)
          next(options, `millrace features ${deployment} --feature ${first.name}`);
      });
    });
  },
};

function overview(found: FeatureStatistics): string {
  if (found.features.length === 0) return dim('no window has ended yet: they do ten seconds after their minute');
  return [
    trafficText(found),
    '',
    table(found.features, [
      { title: 'FEATURE', value: ({ name, kind }) => (kind === 'output' ? `${name} ${dim('output')}` : name) },
      { title: 'TYPE', value: ({ type }) => type },
      { title: 'COUNT', value: ({ total }) => total.count, align: 'right' },
      { title: 'MISSING', value: ({ total }) => missingText(total), align: 'right' },
      { title: 'MIN', value: ({ total, type }) => (type === 'CATEGORICAL' ? '' : short(total.min)), align: 'right' },
      { title: 'P5', value: (row) => quantile(row, 'p5'), align: 'right' },
      { title: 'MEDIAN', value: (row) => quantile(row, 'p50'), align: 'right' },
      { title: 'MEAN', value: ({ total, type }) => (type === 'CATEGORICAL' ? '' : short(total.mean)), align: 'right' },
      { title: 'SD', value: ({ total, type }) => (type === 'CATEGORICAL' ? '' : short(total.sd)), align: 'right' },
      { title: 'P95', value: (row) => quantile(row, 'p95'), align: 'right' },
      { title: 'MAX', value: ({ total, type }) => (type === 'CATEGORICAL' ? '' : short(total.max)), align: 'right' },
      { title: 'OVER TIME', value: overTimeText },
    ]),
  ].join('\n');
}

function inDetail(found: FeatureStatistics): string {
  if (found.features.length === 0) return dim('no window has ended yet');
  return found.features
    .map((feature) => {
      const { name, kind, type, total, histogram, over } = feature;
      const lines = [
        `${name}  ${dim(`${kind}, ${type}`)}`,
        `  ${total.count} values, ${missingText(total)} missing, ${total.infinite} infinite`,
      ];
      if (total.quantiles === null) return lines.join('\n');
      if (total.values.length > 0 && (type === 'CATEGORICAL' || total.values.length <= 12)) {
        const shown = total.values.slice(0, 20);
        const wide = Math.max(...shown.map(({ value, label }) => (label ?? short(value)).length));
        const most = shown[0]?.count ?? 1;
        for (const { value, label, count } of shown)
          lines.push(`  ${(label ?? short(value)).padEnd(wide)} ${bar(count, most)} ${count}`);
      } else {
        const ends = `${short(total.min)} … ${short(total.max)}`;
        lines.push(`  values    ${sparkline(histogram.shares, histogram.shares.length)}  ${dim(ends)}`);
      }
      if (type !== 'CATEGORICAL') {
        lines.push(`  mean ${short(total.mean)}, sd ${short(total.sd)}`);
        lines.push(
          `  ${Object.entries(total.quantiles)
            .map(([at, value]) => `${at} ${short(value)}`)
            .join('  ')}`,
        );
        for (const at of ['p5', 'p50', 'p95'] as const)
          lines.push(
            `  ${at.padEnd(9)} ${sparkline(
              over.map(({ quantiles }) => quantiles?.[at] ?? Number.NaN),
              60,
            )}`,
          );
      }
      lines.push(
        `  missing   ${sparkline(
          over.map(({ count, missing }) => missing / Math.max(1, count + missing)),
          60,
        )}`,
      );
      return lines.join('\n');
    })
    .concat('', trafficText(found))
    .join('\n');
}

function trafficText({ traffic, fromMs, toMs, versions }: FeatureStatistics): string {
  if (fromMs === null || toMs === null) return '';
  const rates = traffic.map(({ predictionsPerSecond }) => predictionsPerSecond);
  const predictions = traffic.reduce((sum, piece) => sum + piece.predictions, 0);
  const late = traffic.reduce((sum, { lateRows }) => sum + lateRows, 0);
  const [newest] = versions;
  return [
    `${predictions} recorded requests, version ${versions.length > 1 ? `${versions.at(-1) ?? ''} to ` : ''}${newest ?? ''}`,
    `${new Date(fromMs).toISOString()} to ${new Date(toMs).toISOString()}`,
    `${sparkline(rates)} ${dim(`up to ${short(Math.max(...rates))}/s`)}`,
    ...(late > 0 ? [yellow(`${late} rows came too late`)] : []),
  ].join('  ');
}

function overTimeText({ type, over, total }: FeatureOverTime): string {
  if (type !== 'CATEGORICAL')
    return sparkline(
      over.map(({ mean }) => mean ?? Number.NaN),
      24,
    );
  return total.values
    .slice(0, 3)
    .map(({ value, label, count }) => `${label ?? String(value)} ${percent(count / Math.max(1, total.count))}`)
    .join(', ');
}

function missingText({ count, missing }: FeatureOverTime['total']): string {
  return missing === 0 ? '0' : yellow(percent(missing / (count + missing)));
}

function quantile({ type, total }: FeatureOverTime, at: 'p5' | 'p50' | 'p95'): string {
  return type === 'CATEGORICAL' ? '' : short(total.quantiles?.[at] ?? null);
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const short = (value: number | null): string => (value === null ? '' : String(Number(value.toPrecision(4))));

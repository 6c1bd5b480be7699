import { MillraceError } from '../../runtime/ports/errors.ts';
import { parseTime } from '../../schemas/api/time-text.ts';
import type { QualityNumber, QualityWindow, RewardFailures } from '../../sdk/client/index.ts';
import { wholeNumber } from '../arguments.ts';
import { type CommandModule, optionsOf, show } from '../command.ts';
import { withPlatform } from '../session.ts';
import { dim, yellow } from '../ui/style.ts';
import { ago, table } from '../ui/table.ts';

interface QualityOptions {
  readonly route?: string;
  readonly segment?: string;
  readonly deploymentVersion?: string;
  readonly windows: string;
  readonly until?: string;
}

export const command: CommandModule = {
  configure: (cmd) => {
    cmd
      .description('quality metrics of a deployment from feedback, by route, segment and window')
      .argument('<deployment>')
      .option('--route <name>', 'only this route; "" for all together')
      .option('--segment <feature=value>', 'only this segment; "" for all rows')
      .option('--deployment-version <n>', 'this version of the deployment (default: the newest that has windows)')
      .option('--windows <n>', 'so many of each series', '1')
      .option('--until <time>', 'windows that ended before, ISO 8601 or milliseconds');
    cmd.action(async (deployment: string) => {
      const options = optionsOf<QualityOptions>(cmd);
      const { route, segment, windows } = options;
      const until = options.until === undefined ? undefined : parseTime(options.until);
      if (options.until !== undefined && until === undefined)
        throw new MillraceError('INVALID_ARGUMENT', `--until ${options.until} is no time: ISO 8601, or milliseconds`);
      const version = wholeNumber('--deployment-version', options.deploymentVersion);
      const search = { deployment, version, route, segment, until, windows: wholeNumber('--windows', windows) };
      await withPlatform(options, async ({ client }) => {
        const found = await client.quality(search);
        const failed = await client.rewardFailures(deployment);
        show(options, found, (windows) => [draw(windows), ...failed.map(drawFailures)].join('\n'));
      });
    });
  },
};

function draw(windows: readonly QualityWindow[]): string {
  if (windows.length === 0) return dim('no window is full yet: feedback with a truth fills them');
  const rows = windows.flatMap((window) => [
    ...window.metrics.map(({ name, value, low, high }) => ({ window, name, value, low, high, note: '' })),
    ...rewardRows(window),
  ]);
  return table(rows, [
    { title: 'VERSION', value: ({ window }) => `v${window.deploymentVersion}` },
    { title: 'ROUTE', value: ({ window }) => (window.route === '' ? dim('all') : String(window.route)) },
    { title: 'MODEL', value: ({ window }) => (window.route === '' ? '' : `${window.model}/${window.modelVersion}`) },
    { title: 'SEGMENT', value: ({ window }) => (window.segment === '' ? dim('all') : String(window.segment)) },
    { title: 'METRIC', value: ({ name }) => String(name) },
    { title: 'VALUE', value: ({ value }) => short(value), align: 'right' },
    { title: '95 %', value: ({ low, high }) => (low === 'NaN' ? '' : `${short(low)} to ${short(high)}`) },
    { title: 'ROWS', value: ({ window }) => window.rows, align: 'right' },
    { title: 'WHEN', value: ({ window }) => ago(window.toMs) },
    { title: '', value: ({ note }) => note },
  ]);
}

/** One line a code: the feedback counts all the same, so nothing else would show it. */
function drawFailures({ code, count, reason, predictionId, at }: RewardFailures): string {
  const times = `${count} reward${count === 1 ? '' : 's'} not made`;
  return `${yellow(`${times}, ${code}`)}: ${reason} ${dim(`(the newest: prediction ${predictionId}, ${ago(at)})`)}`;
}

function rewardRows(window: QualityWindow) {
  const { reward } = window;
  if (reward === null) return [];
  const note = (which: string): string =>
    reward.trust === which ? `trust this: ${String(reward.why)}` : yellow('misleads');
  return [
    {
      window,
      name: 'reward mean',
      value: reward.mean,
      low: reward.meanLow,
      high: reward.meanHigh,
      note: reward.trust === 'mean' ? '' : note('mean'),
    },
    {
      window,
      name: 'reward median',
      value: reward.median,
      low: reward.medianLow,
      high: reward.medianHigh,
      note: reward.trust === 'mean' ? '' : note('median'),
    },
  ];
}

function short(value: QualityNumber): string {
  return typeof value === 'number' ? String(Number(value.toPrecision(4))) : dim('unknown');
}

import { bar, interval, sparkline } from '../../../cli/ui/plot.ts';
import { bold, cyan, dim, green, red, yellow } from '../../../cli/ui/style.ts';
import { duration } from '../../../cli/ui/table.ts';
import type { KeptPromise, Monitored } from './checks.ts';

export interface SummaryFacts {
  readonly monitored: Monitored;
  readonly promises: readonly KeptPromise[];
  readonly streamed: number;
  readonly streamSeconds: number;
  readonly models: readonly {
    readonly version: number;
    readonly family: string;
    readonly rmse: number;
    readonly baseline: number;
  }[];
  readonly tookMs: number;
  /** The options by which another command finds the same platform. */
  readonly place: string;
  readonly predictionId: string;
}

/** What a person reads at the end. */
export function summary(facts: SummaryFacts): string {
  const { monitored, promises, models } = facts;
  const lines: string[] = ['', bold('Two models, trained by the flow that a trigger started')];
  const worst = Math.max(...models.map(({ baseline }) => baseline));
  for (const { version, family, rmse, baseline } of models) {
    lines.push(
      `  v${version} ${family.padEnd(14)} ${cyan(bar(rmse, worst, 24))} RMSE $${rmse.toFixed(0)} on held-out stones ${dim(`(always the mean: $${baseline.toFixed(0)})`)}`,
    );
  }
  const assessment = monitored.assessments.at(-1);
  if (assessment !== undefined) {
    lines.push('', bold('Both behind one endpoint, judged by feedback'));
    const all = assessment.routes.flatMap(({ meanSquaredErrorLow, meanSquaredErrorHigh }) => [
      Math.sqrt(Math.max(0, meanSquaredErrorLow)),
      Math.sqrt(meanSquaredErrorHigh),
    ]);
    const [min, max] = [Math.min(...all), Math.max(...all)];
    for (const route of assessment.routes) {
      const [low, middle, high] = [route.meanSquaredErrorLow, route.meanSquaredError, route.meanSquaredErrorHigh].map(
        (value) => Math.sqrt(Math.max(0, value)),
      ) as [number, number, number];
      lines.push(
        `  ${route.route.padEnd(8)} ${cyan(interval(low, middle, high, min, max, 32))} RMSE $${middle.toFixed(0)} ${dim(`($${low.toFixed(0)} to $${high.toFixed(0)}, ${route.count} feedbacks)`)}`,
      );
    }
    const verdict = assessment.better === null ? yellow('undecided') : green(`${assessment.better} is better`);
    lines.push(`  verdict: ${verdict} ${dim(`(p = ${assessment.pValue.toPrecision(2)}, by squared error)`)}`);
  }
  const effects = monitored.drift.map(({ features }) => Math.max(0, ...features.map(({ effectSize }) => effectSize)));
  const moved = new Set(
    monitored.drift.flatMap(({ features }) => features.filter(({ drifted }) => drifted).map(({ name }) => name)),
  );
  lines.push(
    '',
    bold('The stream shifted to large stones'),
    `  drift    ${cyan(sparkline(effects, 48))} ${dim(`largest effect of ${monitored.drift.length} windows, in order of arrival`)}`,
    `  moved    ${[...moved].join(', ') || 'nothing'}`,
    `  alarm    ${
      monitored.alerts
        .filter(({ type }) => type === 'alert-raised')
        .map(({ message }) => message)
        .join('; ') || 'none'
    }`,
    `  outliers ${monitored.outliers} of ${monitored.outlierRows} rows`,
    '',
    `${bold(`${facts.streamed} predictions`)} streamed in ${facts.streamSeconds.toFixed(1)} s (${Math.round(facts.streamed / facts.streamSeconds)}/s, monitors and audit on)`,
    '',
    bold('Promises'),
    ...promises.map(({ promise, kept, detail }) => `  ${kept ? green('✔') : red('✘')} ${promise} ${dim(detail)}`),
    '',
    `Done in ${duration(facts.tookMs)}. Next:`,
    `  npm run millrace -- ${facts.place} explain ${facts.predictionId}`,
    `  npm run millrace -- ${facts.place} findings list`,
    `  npm run millrace -- ${facts.place} dev`,
  );
  return lines.join('\n');
}

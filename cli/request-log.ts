/** `millrace predictions list`: the request log. */
import type { Command } from 'commander';
import { MillraceError } from '../runtime/ports/errors.ts';
import type { LoggedRequest, RequestPage } from '../sdk/client/index.ts';
import { wholeNumber } from './arguments.ts';
import { next, optionsOf, repeatable, show } from './command.ts';
import { withPlatform } from './session.ts';
import { dim, red, yellow } from './ui/style.ts';
import { ago, duration, table } from './ui/table.ts';

interface ListOptions {
  readonly deployment?: string;
  readonly deploymentVersion?: string;
  readonly route?: string;
  readonly model?: string;
  readonly entity?: string;
  readonly outcome?: string;
  readonly since?: string;
  readonly until?: string;
  readonly outlier?: string;
  readonly slowerThan?: string;
  readonly where: readonly string[];
  readonly columns?: string;
  readonly limit: string;
  readonly cursor?: string;
}

export function listVerb(cmd: Command): void {
  const list = cmd
    .command('list')
    .description('the request log, newest first')
    .option('--deployment <name>', 'only requests for this deployment')
    .option('--deployment-version <n>', 'only those that this version answered')
    .option('--route <name>', 'only those that took this route')
    .option('--model <name[/version]>', 'that answered')
    .option('--entity <entity>', 'only those of this entity')
    .option('--outcome <outcome>', 'completed, failed, or the code of a failure such as TIMEOUT')
    .option('--since <time>', 'received at or after, ISO 8601 or milliseconds')
    .option('--until <time>', 'received before')
    .option('--outlier <yes|no>', 'whether a detector found a row of it to be an outlier')
    .option('--slower-than <ms>', 'least time from the request to the outcome on the log')
    .option('--where <condition>', "as 'carat > 2', 'cut = Ideal', 'depth is missing' (repeatable)", repeatable, [])
    .option('--columns <names>', 'features and outputs to show, by comma; all: every one')
    .option('--cursor <cursor>', 'the page behind another one')
    .option('--limit <n>', 'at most so many', '20');
  list.action(async () => {
    const options = optionsOf<ListOptions>(list);
    const { deployment, route, model, entity, outcome, since, until, where, cursor } = options;
    await withPlatform(options, async ({ client }) => {
      const page = await client.predictions({
        ...{ deployment, route, model, entity, outcome, since, until, where, cursor },
        version: wholeNumber('--deployment-version', options.deploymentVersion, { least: 0 }),
        outlier: outlierOf(options.outlier),
        slowerThanMs: wholeNumber('--slower-than', options.slowerThan, { least: 0 }),
        limit: wholeNumber('--limit', options.limit),
      });
      show(options, page, (found) => pageText(found, options));
      next(
        options,
        ...page.predictions
          .slice(0, 1)
          .flatMap(({ predictionId }) => [`millrace explain ${predictionId}`, `millrace replay ${predictionId}`]),
        ...(page.next === null ? [] : [`--cursor ${page.next}`]),
      );
    });
  });
}

function pageText({ predictions, next: cursor }: RequestPage, { where, columns }: ListOptions): string {
  if (predictions.length === 0)
    return dim(cursor === null ? 'no prediction is like that' : 'none of those that were looked at so far');
  const shown = columns?.split(',').map((name) => name.trim()) ?? where.map(columnOf);
  return table(predictions, [
    { title: 'RECEIVED', value: ({ receivedAt }) => ago(receivedAt) },
    {
      title: 'DEPLOYMENT',
      value: ({ deployment, deploymentVersion: version }) => (version === 0 ? deployment : `${deployment} v${version}`),
    },
    { title: 'ROUTE', value: ({ route }) => route },
    { title: 'MODEL', value: ({ model, modelVersion }) => (model === '' ? '' : `${model}/${modelVersion}`) },
    { title: 'ENTITY', value: ({ entity }) => entity },
    { title: 'OUTCOME', value: ({ outcome }) => (outcome === 'completed' ? outcome : red(outcome)) },
    { title: 'TOOK', value: ({ latencyMs }) => duration(latencyMs), align: 'right' },
    { title: shown.length === 0 ? 'ANSWER' : 'VALUES', value: (row) => valuesText(row, shown) },
    { title: '', value: ({ outliers }) => (outliers.length === 0 ? '' : yellow('outlier')) },
    { title: 'ID', value: ({ predictionId }) => dim(predictionId) },
  ]);
}

/** Of the first row that has what was asked for. */
function valuesText({ columns, values, matched, rows }: LoggedRequest, shown: readonly string[]): string {
  const place = matched[0] ?? 0;
  const row = values[place];
  if (row === undefined) return '';
  const wanted = columns.flatMap((column, index) => {
    const all = shown.includes('all');
    const named = all || shown.includes(column.name) || shown.includes(`${column.kind}.${column.name}`);
    if (shown.length === 0 ? column.kind !== 'output' : !named) return [];
    const value = row[index] ?? null;
    const text = value === null ? 'missing' : (column.categories?.[value] ?? String(Number(value.toPrecision(6))));
    return [`${column.name}=${text}`];
  });
  const few = shown.length === 0 ? wanted.slice(0, 3) : wanted;
  return [...few, ...(rows > 1 ? [dim(`row ${place} of ${rows}`)] : [])].join(' ');
}

function columnOf(condition: string): string {
  return /^\s*(.+?)\s*(?:[!<>=]|is\s+(?:not\s+)?missing)/i.exec(condition)?.[1] ?? condition;
}

function outlierOf(text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined;
  if (text === 'yes' || text === 'no') return text === 'yes';
  throw new MillraceError('INVALID_ARGUMENT', `--outlier is yes or no, got '${text.slice(0, 40)}'`);
}

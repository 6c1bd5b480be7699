import type { Command } from 'commander';
import { optionsOf, repeatable, say, show } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { withPlatform } from '../session.ts';
import { red } from '../ui/style.ts';
import { type MigrateReport, migrate } from './migrate.ts';
import { MlflowServer } from './mlflow-server.ts';
import { theirToken } from './their-token.ts';

interface MigrateCommandOptions {
  readonly experiment: readonly string[];
  readonly token?: string;
}

/** `import mlflow <uri>` and `export mlflow <uri>`: this platform is one side. */
export function migrateCommand(cmd: Command, direction: 'import' | 'export'): void {
  const mlflow = cmd
    .command('mlflow')
    .description(
      direction === 'import'
        ? 'experiments, runs, files, logged and registered models of an MLflow server, under their ids'
        : 'the same, to an MLflow server',
    )
    .argument('<uri>', 'such as http://127.0.0.1:5000')
    .option('--experiment <name>', 'only this one, with the versions of its runs (repeatable)', repeatable, [])
    .option(
      '--token <token>',
      'bearer token of that server (default: MLFLOW_TRACKING_TOKEN, if MLFLOW_TRACKING_URI is that server)',
    );
  mlflow.action(async (uri: string) => {
    const options = optionsOf<MigrateCommandOptions>(mlflow);
    const { experiment } = options;
    await withPlatform(options, async ({ url, configuration }) => {
      const ours = new MlflowServer({ url, token: configuration['http.token'] || undefined });
      const token = theirToken({
        ...{ given: options.token, uri, environment: process.env },
        platform: { url, token: configuration['http.token'] },
      });
      const theirs = new MlflowServer({ url: uri, token });
      const [source, target] = direction === 'import' ? [theirs, ours] : [ours, theirs];
      let said = '';
      const report = await migrate({
        source,
        target,
        keepIds: direction === 'import',
        experiments: experiment.length === 0 ? undefined : experiment,
        onProgress: (what) => {
          if (options.json !== true && process.stderr.isTTY && what !== said) process.stderr.write(`\r\u001b[K${what}`);
          said = what;
        },
      });
      if (options.json !== true && process.stderr.isTTY) say('');
      show(options, report, reportText);
      if (report.problems.length > 0) process.exitCode = exitCode.failure;
    });
  });
}

function reportText({ experiments, runs, loggedModels, models, versions, problems }: MigrateReport): string {
  const { copied, unchanged, points, files, bytes } = runs;
  return [
    `${experiments} experiments, ${copied} runs copied and compared, ${unchanged} there already`,
    `${points} points of metrics, ${files} files of ${bytes} bytes, ${loggedModels} logged models`,
    `${models} registered models with ${versions} versions`,
    ...problems.map((problem) => red(problem)),
  ].join('\n');
}

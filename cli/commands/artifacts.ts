import { writeFileSync } from 'node:fs';
import type { Client, DataArtifact } from '../../sdk/client/index.ts';
import { hasCode, MillraceError } from '../../runtime/ports/errors.ts';
import type { WrittenArtifact } from '../../schemas/api/runs.ts';
import { durationMs, wholeNumber } from '../arguments.ts';
import { type CommandModule, next, optionsOf, print, say, show } from '../command.ts';
import { withPlatform } from '../session.ts';
import { type LoggedFile, loggedFiles, mustExist } from '../tracking/logged-files.ts';
import { shownValue } from '../ui/shown-value.ts';
import { dim } from '../ui/style.ts';
import { ago, table } from '../ui/table.ts';

interface ListOptions {
  readonly task?: string;
  readonly step?: string;
  readonly name?: string;
  readonly limit: string;
}

export const command: CommandModule = {
  configure: (cmd) => {
    const list = cmd
      .command('list')
      .description('what tasks wrote and what was logged: of a run; without one what tasks wrote, newest first')
      .argument('[run-id]')
      .option('--task <id>', 'only of this task')
      .option('--step <name>', 'only of this step')
      .option('--name <name>', 'only artifacts of this name')
      .option('--limit <n>', 'at most so many', '50');
    list.action(async (runId: string | undefined) => {
      const options = optionsOf<ListOptions>(list);
      const { task: taskId, step, name, limit } = options;
      const given = Object.entries({ runId, taskId, step, name }).filter(([, value]) => value !== undefined);
      await withPlatform(options, async ({ client }) => {
        const most = wholeNumber('--limit', limit);
        const { artifacts } = await client.artifacts.page({ ...Object.fromEntries(given), limit: most });
        const ofTasks = taskId !== undefined || step !== undefined || name !== undefined;
        const files = runId === undefined || ofTasks ? [] : await loggedFiles(client, runId, most);
        if (runId !== undefined && !ofTasks && artifacts.length + files.length === 0) await mustExist(client, runId);
        show(options, [...artifacts, ...files], () => {
          if (artifacts.length + files.length === 0) return dim('no artifacts');
          return [
            ...(artifacts.length > 0 ? [taskTable(artifacts)] : []),
            ...(files.length > 0 ? [fileTable(files)] : []),
          ].join('\n');
        });
      });
    });
    const saved = cmd
      .command('checkpoints')
      .description('what tasks of a run could go on from, or have kept')
      .argument('<run-id>');
    saved.action(async (runId: string) => {
      const options = optionsOf(saved);
      await withPlatform(options, async ({ client }) => {
        show(options, await client.runs.checkpoints(runId), (rows) =>
          rows.length === 0
            ? dim('no checkpoints')
            : table(rows, [
                { title: 'TASK', value: ({ taskId }) => taskId },
                { title: 'NAME', value: ({ name }) => name },
                { title: 'ATTEMPT', value: ({ attempt }) => attempt, align: 'right' },
                { title: 'BYTES', value: ({ sizeBytes }) => sizeBytes, align: 'right' },
                { title: 'WRITTEN', value: ({ writtenAt }) => ago(writtenAt) },
                { title: 'HASH', value: ({ hash }) => hash.slice(0, 12) },
              ]),
        );
      });
    });
    const gc = cmd
      .command('gc')
      .description('remove bytes that nothing names any more')
      .option('--dry-run', 'only say what would go')
      .option(
        '--older-than <duration>',
        'runs expire so long after their end; tags keep and retain:<duration> say more',
        '90d',
      )
      .option('--grace <duration>', 'leave alone what was put since', '1d');
    gc.action(async () => {
      const options = optionsOf<{ dryRun?: boolean; olderThan: string; grace: string }>(gc);
      const olderThanMs = durationMs('--older-than', options.olderThan);
      const graceMs = durationMs('--grace', options.grace);
      const dryRun = options.dryRun === true;
      await withPlatform(options, async ({ client }) => {
        const report = await client.artifacts.collect({ dryRun, olderThanMs, graceMs });
        show(options, report, ({ blobs, live, young, removed, removedBytes, expiredRuns }) =>
          [
            `${dryRun ? 'would remove' : 'removed'} ${removed} of ${blobs} blobs, ${removedBytes} bytes`,
            dim(`${live} are in use, ${young} were put within ${options.grace}; ${expiredRuns} runs have expired`),
          ].join('\n'),
        );
        next(
          options,
          ...(dryRun && report.removed > 0 ? [`millrace artifacts gc --older-than ${options.olderThan}`] : []),
        );
      });
    });
    const get = cmd
      .command('get')
      .description('the value of an artifact: of a task, or by its hash')
      .argument('<what>', '<run id>/<task>/<name>, <run id>/<path of a logged file>, or the hash')
      .option('-o, --output <file>', 'write the bytes there');
    get.action(async (what: string) => {
      const options = optionsOf<{ output?: string }>(get);
      await withPlatform(options, async ({ client }) => {
        const artifact = await found(what, async (filter) => await client.artifacts.list({ ...filter, limit: 1 }));
        if (artifact === undefined) {
          const file = await loggedFile(client, what);
          if (options.output === undefined) process.stdout.write(file);
          else {
            writeFileSync(options.output, file);
            say(`${file.length} bytes: ${options.output}`);
          }
          return;
        }
        if (options.output !== undefined) {
          writeFileSync(options.output, await artifact.bytes());
          say(`${artifact.sizeBytes} bytes, ${artifact.codec}: ${options.output}`);
          return;
        }
        const value = await artifact.value();
        if (options.json !== true && typeof value === 'string') print(value);
        else print(JSON.stringify(shownValue(value), null, 2));
      });
    });
  },
};

type Found = (filter: {
  hash?: string;
  runId?: string;
  taskId?: string;
  name?: string;
}) => Promise<readonly DataArtifact[]>;

async function found(what: string, list: Found): Promise<DataArtifact | undefined> {
  const [, runId, taskId, name] = /^([^/]+)\/(.+)\/([^/]+)$/.exec(what) ?? [];
  const filter =
    runId === undefined || taskId === undefined || name === undefined
      ? { hash: what }
      : { runId, taskId: taskId.split('/').at(-1) ?? taskId, name };
  const [artifact] = await list(filter);
  return artifact;
}

/** Its bytes. NOT_FOUND when the run has no such file. */
async function loggedFile(client: Client, what: string): Promise<Uint8Array> {
  const [, runId = '', path = ''] = /^([0-9A-Za-z_-]+)\/(.+)$/.exec(what) ?? [];
  try {
    if (path !== '') return await client.tracking.artifact(runId, path);
  } catch (error) {
    if (!hasCode(error, 'NOT_FOUND')) throw error;
  }
  throw new MillraceError(
    'NOT_FOUND',
    `there is no artifact '${what}': \`millrace artifacts list <run id>\` names them`,
  );
}

function taskTable(rows: readonly WrittenArtifact[]): string {
  return table(rows, [
    { title: 'RUN', value: (row) => row.runId },
    { title: 'TASK', value: (row) => row.taskId },
    { title: 'NAME', value: (row) => row.name },
    { title: 'CODEC', value: ({ codec }) => codec },
    { title: 'BYTES', value: ({ sizeBytes }) => sizeBytes, align: 'right' },
    { title: 'WRITTEN', value: ({ writtenAt }) => ago(writtenAt) },
    { title: 'HASH', value: ({ hash }) => hash.slice(0, 12) },
  ]);
}

function fileTable(rows: readonly LoggedFile[]): string {
  return table(rows, [
    { title: 'RUN', value: (row) => row.runId },
    { title: 'FILE', value: ({ path }) => path },
    { title: 'BYTES', value: ({ sizeBytes }) => sizeBytes ?? '', align: 'right' },
  ]);
}

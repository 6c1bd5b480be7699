import { statSync } from 'node:fs';
import type { Command } from 'commander';
import type { FlowBundle } from '../../runtime/adapters/bundler/bundle-flow.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { FlowGraph } from '../../schemas/flow-graph.ts';
import { jsonObject, namedValues } from '../arguments.ts';
import { type CommandModule, optionsOf, print, repeatable, show } from '../command.ts';
import { existingFile } from '../load-file.ts';
import { withSource } from '../run/flow-source.ts';
import { followRun } from '../run/follow-run.ts';
import { fetchProject, isGitAddress } from '../run/git-project.ts';
import { flowHelp } from '../run/flow-help.ts';
import { parametersOfEnvironment, parametersOfWords, withFiles } from '../run/given-parameters.ts';
import { changedGraph, type GraphChanges } from '../run/graph-changes.ts';
import { projectHelp } from '../run/project-help.ts';
import { type GlobalOptions, withPlatform } from '../session.ts';

interface RunOptions extends GraphChanges {
  readonly param: readonly string[];
  readonly parameters: string;
  readonly entryPoint?: string;
  readonly revision?: string;
  readonly tag: readonly string[];
  readonly help?: boolean;
}

type Options = RunOptions & GlobalOptions;

interface ToRun {
  readonly bundled: FlowBundle;
  readonly graph: FlowGraph;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** The flow of a file or of a project's entry point, with the parameters as it names them. */
async function prepare(path: string, file: string, words: readonly string[], options: RunOptions): Promise<ToRun> {
  const said = { ...jsonObject(options.parameters), ...namedValues('-P', options.param) };
  if (statSync(path).isDirectory()) {
    const { bundleProject } = await import('../../runtime/adapters/bundler/bundle-project.ts');
    const texts = Object.entries(said).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]);
    if (words.length > 0)
      throw new MillraceError('INVALID_ARGUMENT', `${words[0]}: parameters of a project are -P name=value`);
    const given = Object.fromEntries(texts) as Record<string, string>;
    const project = await bundleProject(path, { entry: options.entryPoint, parameters: given });
    const source = { entryPoint: options.entryPoint ?? 'main', ...(isGitAddress(file) ? { uri: file } : {}) };
    const graph = withSource(project.graph as FlowGraph, path, source);
    return { bundled: project, graph, parameters: project.parameters };
  }
  if (options.entryPoint !== undefined)
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `-e names an entry point of an MLproject folder, and ${path} is a file`,
    );
  const { bundleFlow } = await import('../../runtime/adapters/bundler/bundle-flow.ts');
  const bundled = await bundleFlow(path);
  const graph = withSource(bundled.graph as FlowGraph, path);
  const environment = parametersOfEnvironment(process.env, graph.parameters);
  const parameters = { ...environment, ...said, ...parametersOfWords(words, graph.parameters) };
  return { bundled, graph, parameters };
}

/** A run that is over sooner leaves its monitors and audit trails to the next process. */
const watchersAfterMs = 1_000;

export const command: CommandModule = {
  configure: (cmd) =>
    cmd
      .argument('[file]', 'a file that exports a flow by default, an MLproject folder, or the git address of one')
      .argument('[parameters...]', "the flow's parameters: --alpha 0.5, --name=value, --flag, --no-flag")
      .allowUnknownOption()
      .helpOption(false)
      .option('-h, --help', "help; behind a file, that flow's parameters")
      .option('-P, --param <name=value>', 'a parameter (repeatable)', repeatable, [])
      .option('--parameters <json>', 'parameters as a JSON object', '{}')
      .option('-e, --entry-point <name>', 'entry point of an MLproject folder (default: main)')
      .option('-v, --revision <name>', 'of a git address: commit, branch or tag')
      .option('--with <retry>', 'for steps that say nothing themselves: retry, or retry:5 (repeatable)', repeatable, [])
      .option('--max-workers <n>', 'tasks that may be under way at once')
      .option('--max-splits <n>', 'items that a foreach may have')
      .option('--no-cache', 'run memoised steps again, whatever is remembered')
      .option('--tag <tag>', 'a tag of the run (repeatable)', repeatable, [])
      .action((file: string | undefined) => run(cmd, file)),
};

async function run(cmd: Command, file: string | undefined): Promise<void> {
  const options = optionsOf<RunOptions>(cmd);
  if (file === undefined) {
    if (options.help !== true)
      throw new MillraceError('INVALID_ARGUMENT', 'which flow? millrace run <file>, or <folder> of an MLproject');
    cmd.outputHelp();
    return;
  }
  if (!isGitAddress(file)) {
    if (options.revision !== undefined)
      throw new MillraceError('INVALID_ARGUMENT', `-v names a revision of a git address, and ${file} is none`);
    await runPath(cmd, existingFile(file), file, options);
    return;
  }
  const project = await fetchProject(file, options.revision);
  try {
    await runPath(cmd, existingFile(project.folder), file, options);
  } finally {
    await project.remove();
  }
}

async function runPath(cmd: Command, path: string, file: string, options: Options): Promise<void> {
  if (options.help === true && statSync(path).isDirectory()) {
    const { readMlProject } = await import('../../runtime/adapters/bundler/mlproject.ts');
    show(options, readMlProject(path), (project) => projectHelp(file, project));
    return;
  }
  if (options.help === true) {
    const { bundleFlow } = await import('../../runtime/adapters/bundler/bundle-flow.ts');
    const { graph } = await bundleFlow(path);
    if (options.json === true) print(JSON.stringify((graph as FlowGraph).parameters, null, 2));
    else print(flowHelp(file, graph as FlowGraph));
    return;
  }
  // A compiler and a child process of their own make the bundle while this process opens the directory.
  const preparing = prepare(path, file, cmd.args.slice(1), options);
  preparing.catch(() => undefined);
  await withPlatform(
    options,
    async ({ client }) => {
      const { bundled, graph, parameters } = await preparing;
      const changed = changedGraph(graph, options);
      const values = await withFiles(parameters, graph.parameters, (content) => client.files.upload(content));
      const { runId } = await client.flows.run({ ...bundled, graph: changed }, values, { tags: options.tag });
      await followRun(client, { runId, flow: changed.name, graph: changed }, options);
    },
    { watchersAfterMs },
  );
}

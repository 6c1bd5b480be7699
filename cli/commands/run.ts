import { statSync } from 'node:fs';
import type { Command } from 'commander';
import type { FlowBundle } from '../../runtime/adapters/bundler/bundle-flow.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { FlowGraph } from '../../schemas/flow-graph.ts';
import { type CommandModule, optionsOf, print } from '../command.ts';
import { existingFile } from '../load-file.ts';
import { followRun } from '../run/follow-run.ts';
import { flowHelp } from '../run/flow-help.ts';
import { parametersOfEnvironment, parametersOfWords, withFiles } from '../run/given-parameters.ts';
import { changedGraph, type GraphChanges } from '../run/graph-changes.ts';
import { loadPlatformAhead, withPlatform } from '../session.ts';
import { objectOf } from './trigger.ts';

interface RunOptions extends GraphChanges {
  readonly param: readonly string[];
  readonly parameters: string;
  readonly entryPoint?: string;
  readonly tag: readonly string[];
  readonly help?: boolean;
}

interface ToRun {
  readonly bundled: FlowBundle;
  readonly graph: FlowGraph;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** The flow of a file or of a project's entry point, with the parameters as it names them. */
async function prepare(path: string, words: readonly string[], options: RunOptions): Promise<ToRun> {
  const said = { ...objectOf(options.parameters), ...Object.fromEntries(options.param.map(pair)) };
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
    return { bundled: project, graph: project.graph as FlowGraph, parameters: project.parameters };
  }
  if (options.entryPoint !== undefined)
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `-e names an entry point of an MLproject folder, and ${path} is a file`,
    );
  const { bundleFlow } = await import('../../runtime/adapters/bundler/bundle-flow.ts');
  const bundled = await bundleFlow(path);
  const graph = bundled.graph as FlowGraph;
  const environment = parametersOfEnvironment(process.env, graph.parameters);
  const parameters = { ...environment, ...said, ...parametersOfWords(words, graph.parameters) };
  return { bundled, graph, parameters };
}

function pair(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new MillraceError('INVALID_ARGUMENT', `-P ${text}: write it as name=value`);
  return [text.slice(0, at), text.slice(at + 1)];
}

const repeatable = (value: string, all: readonly string[]): readonly string[] => [...all, value];

export const command: CommandModule = {
  configure: (cmd) =>
    cmd
      .argument('[file]', 'a file that exports a flow by default, or an MLproject folder')
      .argument('[parameters...]', "the flow's parameters: --alpha 0.5, --name=value, --flag, --no-flag")
      .allowUnknownOption()
      .helpOption(false)
      .option('-h, --help', "help; behind a file, that flow's parameters")
      .option('-P, --param <name=value>', 'a parameter (repeatable)', repeatable, [])
      .option('--parameters <json>', 'parameters as a JSON object', '{}')
      .option('-e, --entry-point <name>', 'entry point of an MLproject folder (default: main)')
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
  const path = existingFile(file);
  if (options.help === true && statSync(path).isFile()) {
    const { bundleFlow } = await import('../../runtime/adapters/bundler/bundle-flow.ts');
    const { graph } = await bundleFlow(path);
    if (options.json === true) print(JSON.stringify((graph as FlowGraph).parameters, null, 2));
    else print(flowHelp(file, graph as FlowGraph));
    return;
  }
  void loadPlatformAhead(options);
  const { bundled, graph, parameters } = await prepare(path, cmd.args.slice(1), options);
  const changed = changedGraph(graph, options);
  await withPlatform(options, async ({ client }) => {
    const values = await withFiles(parameters, graph.parameters, (content) => client.files.upload(content));
    const { runId } = await client.flows.run({ ...bundled, graph: changed }, values, { tags: options.tag });
    await followRun(client, runId, changed, options);
  });
}

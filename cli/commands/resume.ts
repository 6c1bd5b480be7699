import type { FlowGraph } from '../../schemas/flow-graph.ts';
import { type CommandModule, optionsOf, repeatable, show } from '../command.ts';
import { existingFile } from '../load-file.ts';
import { graphOfRun } from '../run/graph-of-run.ts';
import { followRun } from '../run/follow-run.ts';
import { withSource } from '../run/flow-source.ts';
import { withPlatform } from '../session.ts';

interface ResumeOptions {
  readonly from?: string;
  readonly inPlace?: boolean;
  readonly deployed?: boolean;
  readonly tag: readonly string[];
}

export const command: CommandModule = {
  configure: (cmd) =>
    cmd
      .argument('<run-id>')
      .argument('[file]', 'flow file with changed code (default: the code of the run)')
      .option('--from <step>', 'run everything from this step on again (default: what did not end well)')
      .option('--in-place', 'go on under the same run id (default: a new run)')
      .option('--deployed', 'with the code of the deployed version of the flow')
      .option('--tag <tag>', 'of the new run (repeatable)', repeatable, [])
      .action(async (origin: string, file: string | undefined) => {
        const options = optionsOf<ResumeOptions>(cmd);
        const { from, inPlace = false, deployed = false, tag: tags } = options;
        const flow = file === undefined ? undefined : await bundled(existingFile(file));
        await withPlatform(options, async ({ client }) => {
          const started = await client.runs.resume(origin, {
            inPlace,
            tags,
            code: deployed ? 'deployed' : 'origin',
            ...(from === undefined ? {} : { from }),
            ...(flow === undefined ? {} : { flow }),
          });
          if (started.queued === true) {
            show(options, started, ({ reason }) => `it waits: ${reason ?? ''}`);
            return;
          }
          const { runId, flow: name, requestId } = started;
          // the request of a run with the code of another one does not say its graph again
          const graph = deployed || inPlace ? undefined : await graphOfRun(client, origin);
          const drawn = flow === undefined ? graph : flow.graph;
          const resumed = inPlace ? { requestId, resumes: ' goes on' } : { resumes: ` resumes ${origin}` };
          await followRun(client, { runId, flow: name, graph: drawn, ...resumed }, options);
        });
      }),
};

async function bundled(file: string) {
  const { bundleFlow } = await import('../../runtime/adapters/bundler/bundle-flow.ts');
  const bundled = await bundleFlow(file);
  return { ...bundled, graph: withSource(bundled.graph as FlowGraph, file) };
}

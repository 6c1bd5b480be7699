import { topicNames, topics } from '../../schemas/topics.ts';
import { type CommandModule, optionsOf, show } from '../command.ts';
import { bold, cyan, dim } from '../ui/style.ts';

interface Graph {
  readonly topics: readonly {
    readonly name: string;
    readonly access: string;
    readonly key: string;
    readonly says: string;
  }[];
  readonly topologies: readonly {
    readonly name: string;
    readonly reads: string;
    readonly writes: readonly string[];
    readonly summary: string;
  }[];
}

export const command: CommandModule = {
  configure: (cmd) =>
    cmd.option('--mermaid', 'as a Mermaid diagram').action(async () => {
      const options = optionsOf<{ mermaid?: boolean }>(cmd);
      const graph = await readGraph();
      show(options, graph, options.mermaid === true ? mermaid : text);
    }),
};

export async function readGraph(): Promise<Graph> {
  const { topologies } = await import('../../topologies/index.ts');
  return {
    topics: topicNames.map((name) => ({
      name,
      access: topics[name].access,
      key: topics[name].key,
      says: topics[name].says,
    })),
    topologies: topologies.map((topology) => ({
      name: topology.name,
      reads: 'rawInput' in topology ? topology.rawInput : topology.input,
      writes: topology.outputs,
      summary: topology.summary,
    })),
  };
}

function text({ topics: all, topologies }: Graph): string {
  const lines = [bold('topics')];
  for (const { name, access, key, says } of all)
    lines.push(`  ${cyan(name.padEnd(20))} ${access.padEnd(6)} ${dim(`key: ${key}`)}  ${says}`);
  lines.push('', bold('topologies'));
  for (const { name, reads, writes, summary } of topologies)
    lines.push(`  ${reads} → ${cyan(name)} → ${writes.join(', ')}\n      ${dim(summary)}`);
  return lines.join('\n');
}

export function mermaid({ topologies }: Graph): string {
  const lines = ['flowchart LR'];
  const id = (name: string): string => name.replaceAll(/[^a-zA-Z0-9]/g, '_');
  for (const { name, reads, writes } of topologies) {
    lines.push(`  t_${id(reads)}[(${reads})] --> ${id(name)}{{${name}}}`);
    for (const topic of writes) lines.push(`  ${id(name)} --> t_${id(topic)}[(${topic})]`);
  }
  return lines.join('\n');
}

import type { FlowGraph } from '../../schemas/flow-graph.ts';
import { typeText } from '../run/flow-help.ts';
import { bold, cyan, dim, green, yellow } from '../ui/style.ts';
import { type Block, blocksOf } from './blocks.ts';

const marks = {
  step: '●',
  join: '◆',
  hook: '○',
  branch: '⑂',
  foreach: '≡',
  switch: '◇',
  repeat: '↻',
  gang: '⫴',
} as const;

/** The graph as a tree: downwards in the order in which it runs, inwards what lies in a foreach, branch, switch, repeat or gang. */
export function flowText(graph: FlowGraph): string {
  const parameters = Object.entries(graph.parameters).map(([name, spec]) => `${name} ${dim(typeText(spec))}`);
  const lines = [bold(graph.name)];
  if (parameters.length > 0) lines.push(`  ${dim('parameters')} ${parameters.join(', ')}`);
  draw(blocksOf(graph), '  ', lines);
  return lines.join('\n');
}

function draw(blocks: readonly Block[], lead: string, lines: string[]): void {
  for (const [index, block] of blocks.entries()) {
    const last = index === blocks.length - 1;
    const mark = block.kind === 'hook' ? dim(marks.hook) : green(marks[block.kind]);
    const settings = block.settings.length === 0 ? '' : dim(`  ${block.settings.join(' · ')}`);
    if (!('lanes' in block)) {
      const joined = block.kind === 'join' ? dim(' join') : '';
      lines.push(`${lead}${mark} ${block.name}${joined}${settings}`);
      continue;
    }
    lines.push(`${lead}${mark} ${cyan(block.name)} ${yellow(block.kind)} ${dim(block.meaning)}${settings}`);
    const rail = last ? '  ' : `${dim('│')} `;
    for (const [place, { label, blocks: inner }] of block.lanes.entries()) {
      const lastLane = place === block.lanes.length - 1;
      if (label === '') {
        draw(inner, `${lead}${rail}${dim('┃')} `, lines);
        continue;
      }
      lines.push(`${lead}${rail}${dim(lastLane ? '└─' : '├─')} ${bold(label)}`);
      draw(inner, `${lead}${rail}${lastLane ? '   ' : dim('│  ')}`, lines);
    }
  }
}

/** The graph as a picture: time runs downwards, what runs at once lies side by side, what lies in a point lies in its box. */
import type { FlowGraph } from '../../schemas/flow-graph.ts';
import { typeText } from '../run/flow-help.ts';
import { escaped } from '../ui/escape-xml.ts';
import { type Block, blocksOf, type PointBlock, type StepBlock } from './blocks.ts';

const node = { width: 212, line: 15, pad: 11 };
const gap = { down: 30, side: 26 };
const box = { pad: 20, head: 44, label: 22 };
const margin = 36;
const header = 76;

const colours = {
  step: { line: '#3b6fb6', fill: '#ffffff', text: '#16324f' },
  join: { line: '#6b4fa0', fill: '#faf7ff', text: '#3a2560' },
  hook: { line: '#8a94a3', fill: '#fbfcfd', text: '#4a5462' },
  branch: { line: '#2f8f83', fill: '#f0faf8', text: '#1d5f57' },
  foreach: { line: '#c2792e', fill: '#fff8ef', text: '#8a4f12' },
  switch: { line: '#b2456e', fill: '#fff4f8', text: '#7d2448' },
  repeat: { line: '#4d7a35', fill: '#f5faf0', text: '#365a22' },
  gang: { line: '#5661b3', fill: '#f5f6ff', text: '#353f85' },
} as const;

/** Something with a size that can be drawn anywhere; lines enter and leave at `middle`, from its left side. */
interface Drawn {
  readonly width: number;
  readonly height: number;
  readonly middle: number;
  draw(x: number, y: number): string;
}

export function flowSvg(graph: FlowGraph): string {
  const body = sequence(blocksOf(graph));
  const about = aboutText(graph);
  const width = Math.ceil(
    Math.max(body.width, 20 + 7.2 * Math.max(graph.name.length * 1.6, about.length)) + 2 * margin,
  );
  const height = Math.ceil(header + body.height + margin);
  const left = (width - body.width) / 2;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="Inter, 'Segoe UI', system-ui, 'DejaVu Sans', sans-serif">`,
    `<title>${escaped(`Flow ${graph.name}`)}</title>`,
    '<defs>',
    '<marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0.5 0.5 L7 4 L0.5 7.5 Z" fill="#8896a8"/></marker>',
    '<filter id="lift" x="-10%" y="-10%" width="120%" height="140%"><feDropShadow dx="0" dy="1.2" stdDeviation="1.6" flood-color="#1b2b41" flood-opacity="0.14"/></filter>',
    '</defs>',
    `<rect width="${width}" height="${height}" fill="#f6f8fb"/>`,
    text(margin, 36, graph.name, { size: 20, weight: 650, fill: '#142033' }),
    text(margin, 56, about, { size: 12, fill: '#647287' }),
    body.draw(left, header),
    '</svg>',
    '',
  ].join('\n');
}

function aboutText({ steps, parameters, maxWorkers }: FlowGraph): string {
  const names = Object.entries(parameters).map(([name, spec]) => `${name}: ${typeText(spec)}`);
  const many = names.length > 4 ? [...names.slice(0, 4), `${names.length - 4} more`] : names;
  const parts = [
    `${steps.length} steps`,
    ...(maxWorkers === undefined ? [] : [`${maxWorkers} at once`]),
    many.join(', '),
  ];
  return parts.filter((part) => part !== '').join('  ·  ');
}

/** One below the other, middles in one line. */
function sequence(blocks: readonly Block[]): Drawn {
  const drawn = blocks.map((block) => ('lanes' in block ? pointOf(block) : stepOf(block)));
  const middle = Math.max(0, ...drawn.map((one) => one.middle));
  const width = middle + Math.max(0, ...drawn.map((one) => one.width - one.middle));
  const height = drawn.reduce((sum, one) => sum + one.height + gap.down, -gap.down);
  return {
    width,
    height: Math.max(0, height),
    middle,
    draw: (x, y) => {
      const parts: string[] = [];
      let top = y;
      for (const [index, one] of drawn.entries()) {
        if (index > 0) {
          const dashed = blocks[index]?.kind === 'hook';
          parts.push(arrow(x + middle, top - gap.down + 2, x + middle, top - 3, dashed));
        }
        parts.push(one.draw(x + middle - one.middle, top));
        top += one.height + gap.down;
      }
      return parts.join('\n');
    },
  };
}

function stepOf({ kind, name, settings }: StepBlock): Drawn {
  const { line, fill, text: ink } = colours[kind];
  const lines = wrapped(settings, 34);
  const width = Math.max(node.width, 36 + name.length * 8.2);
  const height = 2 * node.pad + 16 + lines.length * node.line;
  return {
    width,
    height,
    middle: width / 2,
    draw: (x, y) =>
      [
        `<g filter="url(#lift)"><rect x="${x}" y="${y}" width="${width}" height="${height}" rx="9" fill="${fill}" stroke="${line}" stroke-width="1.3"${kind === 'hook' ? ' stroke-dasharray="5 4"' : ''}/></g>`,
        kind === 'join'
          ? `<path d="M${x + 14} ${y + 20} l6 -6 l6 6 l-6 6 Z" fill="${line}"/>`
          : `<circle cx="${x + 19}" cy="${y + 20}" r="4.6" fill="${kind === 'hook' ? fill : line}" stroke="${line}" stroke-width="1.4"/>`,
        text(x + 34, y + 24.5, name, { size: 13.5, weight: 600, fill: ink }),
        ...lines.map((part, index) =>
          text(x + 34, y + 24.5 + (index + 1) * node.line, part, { size: 11, fill: '#6a778a' }),
        ),
      ].join(''),
  };
}

/** A box with its lanes side by side. What is walked many times has sheets behind it. */
function pointOf(block: PointBlock): Drawn {
  const { kind, name, lanes, meaning, settings } = block;
  const { line, fill, text: ink } = colours[kind];
  const drawn = lanes.map(({ label, blocks }) => ({ label, inner: sequence(blocks) }));
  const labelled = drawn.some(({ label }) => label !== '');
  const forks = labelled ? 26 : 6;
  const loop = kind === 'repeat' ? 34 : 0;
  const sheets = kind === 'foreach' || kind === 'gang' ? 8 : 0;
  const lines = wrapped(settings, 60);
  const head = box.head + lines.length * node.line;
  const widths = drawn.map(({ label, inner }) => Math.max(inner.width, label.length * 7.4 + 24));
  const lanesWidth = widths.reduce((sum, one) => sum + one + gap.side, -gap.side);
  const title = 60 + Math.max(name.length * 8 + kind.length * 7, meaning.length * 6.4);
  const inside = Math.max(lanesWidth, title);
  const width = inside + 2 * box.pad + 2 * loop + sheets;
  const tall = Math.max(0, ...drawn.map(({ inner }) => inner.height));
  const labels = labelled ? box.label : 0;
  const height = head + forks + labels + tall + forks + 10 + sheets;
  const middle = (width - sheets) / 2;
  return {
    width,
    height,
    middle,
    draw: (x, y) => {
      const [w, h] = [width - sheets, height - sheets];
      const rect = (offset: number, shade: string): string =>
        `<rect x="${x + offset}" y="${y + offset}" width="${w}" height="${h}" rx="13" fill="${shade}" stroke="${line}" stroke-width="1.2"/>`;
      const parts = sheets === 0 ? [rect(0, fill)] : [rect(8, fill), rect(4, fill), rect(0, fill)];
      parts.push(
        `<text x="${x + 18}" y="${y + 24}" font-size="13.5" fill="${ink}"><tspan font-weight="650">${escaped(name)}</tspan><tspan dx="8" font-size="11.5" fill="${line}" font-weight="600">${kind}</tspan></text>`,
        text(x + 18, y + 40, meaning, { size: 11, fill: '#6a778a' }),
        ...lines.map((part, index) =>
          text(x + 18, y + 40 + (index + 1) * node.line, part, { size: 11, fill: '#6a778a' }),
        ),
      );
      const top = y + head;
      const bottom = top + forks + labels + tall;
      let left = x + (w - lanesWidth) / 2;
      for (const [index, { label, inner }] of drawn.entries()) {
        const lane = widths[index] ?? inner.width;
        const at = left + (lane - inner.width) / 2 + inner.middle;
        const from = top + forks + labels;
        if (label !== '') {
          parts.push(curve(x + middle, top, at, top + forks, line));
          parts.push(pill(at, top + forks + labels / 2 - 2, label, line, ink));
          // a lane that is shorter is led down to the end of the others
          parts.push(curve(at, bottom, x + middle, bottom + forks, line, from + inner.height));
        }
        parts.push(inner.draw(at - inner.middle, from));
        left += lane + gap.side;
      }
      if (kind === 'repeat') parts.push(loopBack(x + (w + inside) / 2 + 2, top + forks + 5, bottom - 5, line));
      return parts.join('\n');
    },
  };
}

function arrow(x1: number, y1: number, x2: number, y2: number, dashed: boolean): string {
  return `<path d="M${x1} ${y1} L${x2} ${y2}" fill="none" stroke="#8896a8" stroke-width="1.5"${dashed ? ' stroke-dasharray="4 4"' : ''} marker-end="url(#arrow)"/>`;
}

/** Straight down from `start`, then over to the other place. */
function curve(x1: number, y1: number, x2: number, y2: number, stroke: string, start = y1): string {
  const bend = (y1 + y2) / 2;
  return `<path d="M${x1} ${start} V${y1} C${x1} ${bend} ${x2} ${bend} ${x2} ${y2}" fill="none" stroke="${stroke}" stroke-opacity="0.55" stroke-width="1.5"/>`;
}

function pill(x: number, y: number, label: string, stroke: string, ink: string): string {
  const width = label.length * 7.2 + 18;
  return `<rect x="${x - width / 2}" y="${y - 10}" width="${width}" height="20" rx="10" fill="#ffffff" stroke="${stroke}" stroke-opacity="0.7"/>${text(x, y + 4, label, { size: 11.5, weight: 600, fill: ink, anchor: 'middle' })}`;
}

/** From the end of a round back to its beginning. */
function loopBack(x: number, top: number, bottom: number, stroke: string): string {
  return `<path d="M${x} ${bottom} h12 q9 0 9 -9 V${top + 9} q0 -9 -9 -9 h-11" fill="none" stroke="${stroke}" stroke-width="1.6" marker-end="url(#arrow)"/>`;
}

function wrapped(parts: readonly string[], max: number): readonly string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const last = lines.at(-1);
    const joined = `${last ?? ''} · ${part}`;
    if (last !== undefined && joined.length <= max) lines[lines.length - 1] = joined;
    else lines.push(part.length > max ? `${part.slice(0, max - 1)}…` : part);
  }
  return lines;
}

interface TextStyle {
  readonly size: number;
  readonly fill: string;
  readonly weight?: number;
  readonly anchor?: 'middle';
}

function text(x: number, y: number, value: string, { size, fill, weight = 400, anchor }: TextStyle): string {
  return `<text x="${x}" y="${y}" font-size="${size}" font-weight="${weight}" fill="${fill}"${anchor === undefined ? '' : ` text-anchor="${anchor}"`}>${escaped(value)}</text>`;
}

/** The chain as a picture: causes on the left, what came of it on the right, an edge from each link to what it hangs from. */
import type { CausalChain, Link } from '../../services/provenance/index.ts';
import { escaped } from './escape-xml.ts';

const box = { width: 330, height: 58, gap: 12, indent: 36 };
const margin = 32;
const header = 84;

const colours: Readonly<Record<string, string>> = {
  prediction: '#2563eb',
  feedback: '#0891b2',
  reward: '#0891b2',
  route: '#4f46e5',
  deployment: '#4f46e5',
  'model-version': '#7c3aed',
  alias: '#7c3aed',
  artifact: '#64748b',
  bundle: '#64748b',
  task: '#b45309',
  run: '#b45309',
  trigger: '#15803d',
  operation: '#15803d',
  drift: '#c2410c',
  outliers: '#c2410c',
  outlier: '#c2410c',
  alert: '#be123c',
};

interface Placed {
  readonly link: Link;
  readonly index: number;
  readonly x: number;
  readonly y: number;
}

export function chainSvg(chain: CausalChain): string {
  const causes = place(chain.causes, margin);
  const causesWidth = widthOf(causes, margin);
  const effects = place(chain.effects, causesWidth + margin);
  const width = Math.max(760, effects.length === 0 ? causesWidth : widthOf(effects, causesWidth + margin));
  const bottom = Math.max(0, ...[...causes, ...effects].map(({ y }) => y + box.height));
  const height = bottom + margin + 20;
  const broken = [...chain.causes, ...chain.effects].filter(({ verified }) => !verified);
  const verdict = chain.verified
    ? `all ${chain.causes.length + chain.effects.length} links hold`
    : `${broken.length} broken: ${broken.map(({ kind, id }) => `${kind} ${short(id, 18)}`).join(', ')}`;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, 'DejaVu Sans', sans-serif">`,
    `<title>${escaped(`${chain.kind} ${chain.id}`)}</title>`,
    `<rect width="100%" height="100%" fill="#f8fafc"/>`,
    text(margin, 34, `${chain.kind} ${short(chain.id, 70)}`, 18, '#0f172a', 600),
    text(margin, 56, short(verdict, 110), 13, chain.verified ? '#15803d' : '#be123c', 600),
    text(margin, 76, 'caused by', 12, '#64748b'),
    ...(effects.length === 0 ? [] : [text(causesWidth + margin, 76, 'what came of it', 12, '#64748b')]),
    ...edges(causes),
    ...edges(effects),
    ...causes.map(card),
    ...effects.map(card),
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

/** One row each, in the order of the tree, moved in by depth. */
function place(links: readonly Link[], left: number): readonly Placed[] {
  const placed: Placed[] = [];
  const walk = (under: number | null, depth: number): void => {
    links.forEach((link, index) => {
      if (link.under !== under) return;
      const y = header + placed.length * (box.height + box.gap);
      placed.push({ link, index, x: left + depth * box.indent, y });
      walk(index, depth + 1);
    });
  };
  walk(null, 0);
  return placed;
}

const widthOf = (placed: readonly Placed[], left: number): number =>
  Math.max(left, ...placed.map(({ x }) => x)) + box.width + margin;

function edges(placed: readonly Placed[]): string[] {
  return placed.flatMap(({ link, x, y }) => {
    const parent = placed.find(({ index }) => index === link.under);
    if (parent === undefined) return [];
    const [fromX, fromY, toY] = [parent.x + 16, parent.y + box.height, y + box.height / 2];
    return [
      `<path d="M${fromX} ${fromY} V${toY - 8} Q${fromX} ${toY} ${fromX + 8} ${toY} H${x}" fill="none" stroke="${link.verified ? '#94a3b8' : '#be123c'}" stroke-width="1.5"/>`,
    ];
  });
}

function card({ link, x, y }: Placed): string {
  const { kind, id, hash, at, check, verified, problem } = link;
  const colour = colours[kind] ?? '#475569';
  const proof = [at, hash === undefined ? undefined : `sha256:${hash.slice(0, 12)}`].filter(
    (part) => part !== undefined,
  );
  return [
    '<g>',
    `<title>${escaped([`${kind} ${id}`, link.text, ...proof, check, problem ?? ''].join('\n').trim())}</title>`,
    `<rect x="${x}" y="${y}" width="${box.width}" height="${box.height}" rx="7" fill="${verified ? '#ffffff' : '#fff1f2'}" stroke="${verified ? '#cbd5e1' : '#be123c'}"/>`,
    `<rect x="${x}" y="${y + 7}" width="4" height="${box.height - 14}" rx="2" fill="${colour}"/>`,
    // One text, so that the id begins where the kind ends, whatever the font.
    `<text x="${x + 14}" y="${y + 18}" font-size="11" fill="#0f172a"><tspan fill="${colour}" font-weight="600">${escaped(kind)}</tspan><tspan dx="8">${escaped(short(id, 40 - kind.length))}</tspan></text>`,
    text(x + box.width - 20, y + 18, verified ? '✔' : '✘', 12, verified ? '#15803d' : '#be123c', 600),
    text(x + 14, y + 34, short(link.text, 52), 11, '#334155'),
    text(x + 14, y + 49, short(problem ?? proof.join('  '), 56), 10, problem === undefined ? '#94a3b8' : '#be123c'),
    '</g>',
  ].join('');
}

function text(x: number, y: number, value: string, size: number, fill: string, weight = 400): string {
  return `<text x="${x}" y="${y}" font-size="${size}" fill="${fill}" font-weight="${weight}">${escaped(value)}</text>`;
}

function short(value: string, max: number): string {
  return value.length <= max ? value : `${value.slice(0, max - 1)}…`;
}

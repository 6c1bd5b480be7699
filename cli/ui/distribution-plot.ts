/** Reference against window, as text and as a picture. */
import type { ComparedDistribution } from '../../sdk/client/index.ts';
import { escaped } from './escape-xml.ts';
import { bar } from './plot.ts';
import { dim } from './style.ts';

/** A line of blocks each for the reference and the window, on one scale; categories by name. */
export function distributionText({
  name,
  categories,
  edges,
  reference,
  window,
  missing,
}: ComparedDistribution): string {
  const top = Math.max(...reference, ...window, 0);
  const lines = [name];
  if (reference.length === 0) lines.push(dim('  no values on one side'));
  else if (categories.length > 0) {
    const wide = Math.max(...categories.map(({ length }) => length), 4);
    for (const [index, category] of categories.entries()) {
      lines.push(
        `  ${category.padEnd(wide)}  reference ${bar(reference[index] ?? 0, top)} ${percent(reference[index])}`,
      );
      lines.push(`  ${' '.repeat(wide)}  window    ${bar(window[index] ?? 0, top)} ${percent(window[index])}`);
    }
  } else {
    const ends = `${short(edges[0])} … ${short(edges.at(-1))}`;
    lines.push(`  reference ${blocks(reference, top)}  ${dim(ends)}`, `  window    ${blocks(window, top)}`);
  }
  if (missing.reference + missing.window > 0)
    lines.push(dim(`  missing: reference ${percent(missing.reference)}, window ${percent(missing.window)}`));
  return lines.join('\n');
}

const levels = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

function blocks(shares: readonly number[], top: number): string {
  return shares
    .map((share) => levels[share === 0 ? 0 : Math.max(1, Math.round((share / (top || 1)) * 8))] ?? '█')
    .join('');
}

const panel = { width: 360, height: 150, gap: 24, margin: 32, header: 64 };
const colours = { reference: '#64748b', window: '#c2410c' };

/** Every column as a panel with both distributions over each other. */
export function distributionSvg(title: string, distributions: readonly ComparedDistribution[]): string {
  const across = Math.max(1, Math.min(3, distributions.length));
  const down = Math.ceil(distributions.length / across);
  const width = 2 * panel.margin + across * panel.width + (across - 1) * panel.gap;
  const height = panel.header + down * (panel.height + panel.gap + 20) + panel.margin;
  const parts = distributions.map((distribution, index) =>
    panelSvg(
      distribution,
      panel.margin + (index % across) * (panel.width + panel.gap),
      panel.header + Math.floor(index / across) * (panel.height + panel.gap + 20),
    ),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, 'DejaVu Sans', sans-serif">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="100%" height="100%" fill="#f8fafc"/>`,
    `<text x="${panel.margin}" y="28" font-size="16" fill="#0f172a">${escaped(title)}</text>`,
    `<text x="${panel.margin}" y="48" font-size="12" fill="${colours.reference}">reference</text>`,
    `<text x="${panel.margin + 80}" y="48" font-size="12" fill="${colours.window}">window</text>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function panelSvg({ name, categories, edges, reference, window }: ComparedDistribution, x: number, y: number): string {
  const top = Math.max(...reference, ...window, 1e-12);
  const step = panel.width / Math.max(1, reference.length);
  const bars = (shares: readonly number[], colour: string): string =>
    shares
      .map((share, index) => {
        const height = (share / top) * panel.height;
        const at = `x="${(x + index * step).toFixed(1)}" y="${(y + 20 + panel.height - height).toFixed(1)}"`;
        return `<rect ${at} width="${Math.max(1, step - 1).toFixed(1)}" height="${height.toFixed(1)}" fill="${colour}" fill-opacity="0.5"/>`;
      })
      .join('');
  const ends = categories.length > 0 ? [categories[0], categories.at(-1)] : [short(edges[0]), short(edges.at(-1))];
  const base = y + 20 + panel.height;
  return [
    `<text x="${x}" y="${y + 12}" font-size="13" fill="#0f172a">${escaped(name)}</text>`,
    bars(reference, colours.reference),
    bars(window, colours.window),
    `<line x1="${x}" y1="${base}" x2="${x + panel.width}" y2="${base}" stroke="#94a3b8"/>`,
    `<text x="${x}" y="${base + 14}" font-size="11" fill="#64748b">${escaped(ends[0] ?? '')}</text>`,
    `<text x="${x + panel.width}" y="${base + 14}" font-size="11" fill="#64748b" text-anchor="end">${escaped(ends[1] ?? '')}</text>`,
  ].join('\n');
}

function percent(share: number | undefined): string {
  return `${((share ?? 0) * 100).toFixed(1)} %`;
}

function short(value: number | undefined): string {
  return value === undefined ? '' : String(Number(value.toPrecision(4)));
}

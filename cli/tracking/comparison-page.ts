/** A comparison as a picture, and as a page that needs no network. */
import { escaped } from '../ui/escape-xml.ts';
import type { ComparedCurves, Comparison } from './comparison.ts';
import { short } from './run-table.ts';

const panel = { width: 420, height: 220, left: 52, gap: 28, margin: 24, header: 48 };
const colours = ['#2563eb', '#c2410c', '#15803d', '#7e22ce', '#0e7490', '#b91c1c', '#a16207', '#475569'];
const colourOf = (index: number): string => colours[index % colours.length] ?? '#2563eb';

/** A panel for each metric, with a line for each run; a metric of one point is a bar. */
export function comparisonSvg({ runs, curves }: Comparison): string {
  const across = Math.max(1, Math.min(2, curves.length));
  const down = Math.max(1, Math.ceil(curves.length / across));
  const width = 2 * panel.margin + across * (panel.width + panel.left) + (across - 1) * panel.gap;
  const legend = panel.header + 18 * runs.length;
  const height = legend + down * (panel.height + 52) + panel.margin;
  const names = runs.map(
    ({ name, runId }, index) =>
      `<text x="${panel.margin}" y="${panel.header + 18 * index}" font-size="12" fill="${colourOf(index)}">${escaped(`${name} ${runId.slice(0, 8)}`)}</text>`,
  );
  const panels = curves.map((curve, index) =>
    panelSvg(
      curve,
      panel.margin + panel.left + (index % across) * (panel.width + panel.left + panel.gap),
      legend + Math.floor(index / across) * (panel.height + 52),
    ),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, 'DejaVu Sans', sans-serif">`,
    '<rect width="100%" height="100%" fill="#f8fafc"/>',
    `<text x="${panel.margin}" y="26" font-size="16" fill="#0f172a">${runs.length} runs</text>`,
    ...names,
    ...panels,
    '</svg>',
    '',
  ].join('\n');
}

function panelSvg({ metric, points }: ComparedCurves, x: number, y: number): string {
  const all = points.flat().filter(({ value }) => Number.isFinite(value));
  const range = (values: readonly number[]): readonly [number, number] => {
    const low = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
    const high = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    if (values.length === 0) return [0, 1];
    return low === high ? [low - 0.5, high + 0.5] : [low, high];
  };
  const [x0, x1] = range(all.map(({ step }) => step));
  const [y0, y1] = range(all.map(({ value }) => value));
  const place = (step: number, value: number): readonly [number, number] => [
    x + ((step - x0) / (x1 - x0)) * panel.width,
    y + 20 + panel.height - ((value - y0) / (y1 - y0)) * panel.height,
  ];
  const lines = points.map((run, index) => {
    const finite = run.filter(({ value }) => Number.isFinite(value)).sort((a, b) => a.step - b.step);
    const at = finite.map(({ step, value }) => place(step, value));
    const [only] = at;
    if (at.length === 1 && only !== undefined)
      return `<circle cx="${only[0].toFixed(1)}" cy="${only[1].toFixed(1)}" r="4" fill="${colourOf(index)}"/>`;
    const text = at.map(([left, top]) => `${left.toFixed(1)},${top.toFixed(1)}`).join(' ');
    return `<polyline points="${text}" fill="none" stroke="${colourOf(index)}" stroke-width="1.5"/>`;
  });
  const base = y + 20 + panel.height;
  const label = (left: number, top: number, anchor: string, value: number): string =>
    `<text x="${left}" y="${top}" font-size="11" text-anchor="${anchor}" fill="#64748b">${escaped(short(value))}</text>`;
  return [
    `<text x="${x}" y="${y + 12}" font-size="13" fill="#0f172a">${escaped(metric)}</text>`,
    `<line x1="${x}" y1="${base}" x2="${x + panel.width}" y2="${base}" stroke="#94a3b8"/>`,
    `<line x1="${x}" y1="${y + 20}" x2="${x}" y2="${base}" stroke="#94a3b8"/>`,
    label(x, base + 14, 'start', x0),
    label(x + panel.width, base + 14, 'end', x1),
    label(x - 4, base, 'end', y0),
    label(x - 4, y + 28, 'end', y1),
    ...lines,
  ].join('\n');
}

export function comparisonHtml(comparison: Comparison): string {
  const { runs, rows } = comparison;
  const heads = runs
    .map(
      ({ name, runId }, index) =>
        `<th style="color:${colourOf(index)}">${escaped(name)}<br><code>${escaped(runId)}</code></th>`,
    )
    .join('');
  const body = rows.map(({ kind, key, values, differs }) => {
    const cells = values.map((value) => {
      if (value === null) return '<td class="none">–</td>';
      return `<td>${escaped(typeof value === 'number' ? short(value) : value)}</td>`;
    });
    return `<tr${differs ? ' class="differs"' : ''}><td>${kind}</td><td>${escaped(key)}</td>${cells.join('')}</tr>`;
  });
  return [
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Runs compared</title>',
    '<style>body{font:14px system-ui,sans-serif;margin:2rem;color:#0f172a}table{border-collapse:collapse;margin-top:1rem}',
    'td,th{padding:.25rem .75rem;text-align:right;border-bottom:1px solid #e2e8f0}td:nth-child(-n+2){text-align:left}',
    '.differs td:nth-child(n+3){font-weight:600}.none{color:#94a3b8}code{font-size:11px}</style>',
    `<h1>${runs.length} runs</h1>`,
    comparisonSvg(comparison),
    `<table><thead><tr><th></th><th></th>${heads}</tr></thead><tbody>${body.join('')}</tbody></table></html>`,
    '',
  ].join('\n');
}

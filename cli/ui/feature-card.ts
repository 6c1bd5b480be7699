/** Features over time as a picture, and as a page with the numbers beside it. */
import type { FeatureOverTime, FeatureStatistics, ValueSummary } from '../../sdk/client/index.ts';
import { escaped } from './escape-xml.ts';

const panel = { width: 420, height: 120, side: 130, gap: 28, margin: 32, header: 60, label: 22 };
const colours = ['#0f766e', '#c2410c', '#4338ca', '#a16207', '#be185d', '#475569'];
const ink = {
  text: '#0f172a',
  faint: '#64748b',
  line: '#94a3b8',
  band: '#99f6e4',
  median: '#0f766e',
  missing: '#dc2626',
};

export function featureSvg({ deployment, features, fromMs, toMs }: FeatureStatistics): string {
  const across = features.length > 1 ? 2 : 1;
  const wide = panel.width + panel.side + 16;
  const tall = panel.height + panel.label + 24;
  const width = 2 * panel.margin + across * wide + (across - 1) * panel.gap;
  const height = panel.header + Math.ceil(features.length / across) * (tall + panel.gap) + 8;
  const time = fromMs === null || toMs === null ? 'no windows' : `${shortTime(fromMs)} to ${shortTime(toMs)} UTC`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, 'DejaVu Sans', sans-serif">`,
    `<title>${escaped(deployment)}: features over time</title>`,
    '<rect width="100%" height="100%" fill="#f8fafc"/>',
    `<text x="${panel.margin}" y="26" font-size="16" fill="${ink.text}">${escaped(deployment)}: features over time</text>`,
    `<text x="${panel.margin}" y="45" font-size="12" fill="${ink.faint}">${escaped(time)} · numbers: median in p5 to p95, and all values at the right · categories: shares · red: missing</text>`,
    ...features.map((feature, place) =>
      panelSvg(
        feature,
        panel.margin + (place % across) * (wide + panel.gap),
        panel.header + Math.floor(place / across) * (tall + panel.gap),
      ),
    ),
    '</svg>',
    '',
  ].join('\n');
}

export function featureHtml(found: FeatureStatistics): string {
  const cells = (values: readonly (string | number)[], tag = 'td'): string =>
    `<tr>${values.map((value) => `<${tag}>${escaped(String(value))}</${tag}>`).join('')}</tr>`;
  const head = [
    'feature',
    'kind',
    'type',
    'count',
    'missing',
    'infinite',
    'min',
    'p5',
    'median',
    'mean',
    'sd',
    'p95',
    'max',
    'most frequent',
  ];
  const rows = found.features.map(({ name, kind, type, total }) => {
    const { p5, p50, p95 } = total.quantiles ?? {};
    // The mean of codes says nothing.
    const numbers = type === 'CATEGORICAL' ? [] : [total.min, p5, p50, total.mean, total.sd, p95, total.max];
    const texts = Array.from({ length: 7 }, (_, place) => short(numbers[place]));
    return cells([name, kind, type, total.count, total.missing, total.infinite, ...texts, frequent(total)]);
  });
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escaped(found.deployment)}: features over time</title>
<style>body{font:14px system-ui,'DejaVu Sans',sans-serif;background:#f8fafc;color:${ink.text};margin:24px}table{border-collapse:collapse;margin-top:16px}
th,td{border-bottom:1px solid #e2e8f0;padding:4px 10px;text-align:right}th:first-child,td:first-child,td:last-child,th:last-child{text-align:left}svg{max-width:100%;height:auto}.wide{overflow-x:auto}</style></head>
<body>
${featureSvg(found)}<div class="wide"><table>
${cells(head, 'th')}
${rows.join('\n')}
</table></div>
</body></html>
`;
}

function panelSvg(feature: FeatureOverTime, x: number, y: number): string {
  const { name, kind, type, total, over } = feature;
  const top = y + panel.label;
  const base = top + panel.height;
  const right = x + panel.width;
  const missing = over.map(({ count, missing: none }) => none / Math.max(1, count + none));
  const isCategorical = type === 'CATEGORICAL';
  const low = total.quantiles?.p1 ?? 0;
  const high = total.quantiles?.p99 ?? 1;
  return [
    `<text x="${x}" y="${y + 14}" font-size="13" fill="${ink.text}">${escaped(name)} <tspan fill="${ink.faint}" font-size="11">${kind === 'output' ? 'output, ' : ''}${total.count} values</tspan></text>`,
    total.count === 0
      ? ''
      : isCategorical
        ? categoriesOverTime(feature, x, top)
        : bandOverTime(feature, x, top, low, high),
    ...missing.map((share, place) => {
      if (!(share > 0)) return '';
      const step = panel.width / missing.length;
      const size = Math.max(2, share * panel.height);
      return `<rect x="${(x + place * step).toFixed(1)}" y="${(base - size).toFixed(1)}" width="${Math.max(1, step).toFixed(1)}" height="${size.toFixed(1)}" fill="${ink.missing}" fill-opacity="0.35"/>`;
    }),
    `<line x1="${x}" y1="${base}" x2="${right}" y2="${base}" stroke="${ink.line}"/>`,
    isCategorical || total.count === 0
      ? legend(feature, right + 14, top)
      : [
          `<text x="${right + 4}" y="${top + 9}" font-size="10" fill="${ink.faint}">${short(high)}</text>`,
          `<text x="${right + 4}" y="${base}" font-size="10" fill="${ink.faint}">${short(low)}</text>`,
          histogramSvg(feature, right + 46, top, low, high),
        ].join('\n'),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function bandOverTime({ over }: FeatureOverTime, x: number, top: number, low: number, high: number): string {
  const span = high - low || 1;
  const step = panel.width / over.length;
  const at = (value: number): string =>
    (top + panel.height - Math.max(0, Math.min(1, (value - low) / span)) * panel.height).toFixed(1);
  return over
    .map(({ quantiles }, place) => {
      if (quantiles === null) return '';
      const left = (x + place * step).toFixed(1);
      const { p5, p50, p95 } = quantiles;
      const height = Math.max(1, Number(at(p5)) - Number(at(p95))).toFixed(1);
      const width = Math.max(1, step).toFixed(1);
      return `<rect x="${left}" y="${at(p95)}" width="${width}" height="${height}" fill="${ink.band}"/><rect x="${left}" y="${(Number(at(p50)) - 1).toFixed(1)}" width="${width}" height="2" fill="${ink.median}"/>`;
    })
    .join('\n');
}

function categoriesOverTime({ over, total }: FeatureOverTime, x: number, top: number): string {
  const step = panel.width / over.length;
  const order = total.values.slice(0, colours.length - 1).map(({ value }) => value);
  return over
    .map(({ count, values }, place) => {
      let y = top + panel.height;
      const bars = order.map((value, index) => {
        const share = (values.find((one) => one.value === value)?.count ?? 0) / Math.max(1, count);
        y -= share * panel.height;
        return bar(x + place * step, y, step, share * panel.height, colours[index]);
      });
      const rest = count === 0 ? 0 : y - top;
      return bars.join('') + bar(x + place * step, top, step, rest, colours.at(-1));
    })
    .join('\n');
}

function bar(x: number, y: number, width: number, height: number, colour = ink.faint): string {
  if (height < 0.05) return '';
  return `<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${Math.max(1, width).toFixed(1)}" height="${height.toFixed(1)}" fill="${colour}"/>`;
}

function legend({ total }: FeatureOverTime, x: number, top: number): string {
  const shown = total.values.slice(0, colours.length - 1);
  const rest = total.values.slice(colours.length - 1).reduce((sum, { count }) => sum + count, 0);
  const lines = shown.map(({ value, label, count }) => [label ?? String(value), count] as const);
  if (rest > 0) lines.push(['others', rest]);
  return lines
    .map(
      ([label, count], place) =>
        `<rect x="${x}" y="${top + place * 18}" width="10" height="10" fill="${colours[place] ?? ink.faint}"/><text x="${x + 15}" y="${top + 9 + place * 18}" font-size="11" fill="${ink.text}">${escaped(label.slice(0, 12))} ${((100 * count) / Math.max(1, total.count)).toFixed(0)} %</text>`,
    )
    .join('\n');
}

/** On the scale of the band, lying on its side. */
function histogramSvg(
  { histogram: { edges, shares } }: FeatureOverTime,
  x: number,
  top: number,
  low: number,
  high: number,
): string {
  const most = Math.max(...shares, 1e-12);
  const span = high - low || 1;
  const at = (value: number): number =>
    top + panel.height - Math.max(0, Math.min(1, (value - low) / span)) * panel.height;
  return shares
    .map((share, place) => {
      const upper = at(edges[place + 1] ?? high);
      const height = Math.max(0, at(edges[place] ?? low) - upper - 0.5);
      return bar(x, upper, (share / most) * (panel.side - 40), share === 0 ? 0 : height, '#5eead4');
    })
    .join('');
}

function frequent({ values, count }: ValueSummary): string {
  return values
    .slice(0, 3)
    .map((one) => `${one.label ?? String(one.value)} (${((100 * one.count) / Math.max(1, count)).toFixed(0)} %)`)
    .join(', ');
}

const short = (value: number | null | undefined): string =>
  value === null || value === undefined ? '' : String(Number(value.toPrecision(4)));
const shortTime = (ms: number): string => new Date(ms).toISOString().slice(0, 16).replace('T', ' ');

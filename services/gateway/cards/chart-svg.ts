/**
 * Charts of the single-view and layered part of Vega-Lite (https://vega.github.io/vega-lite/docs/spec.html): `data.values`, marks line, area,
 * bar, point, circle, rule and tick, encodings x, y and color by field, title, width and height. What it cannot draw it refuses by name.
 */
import { escapeHtml } from './markdown.ts';

type Json = Readonly<Record<string, unknown>>;

const palette = ['#4c78a8', '#f58518', '#54a24b', '#e45756', '#72b7b2', '#b279a2', '#9d755d', '#eeca3b'];
const marks = ['line', 'area', 'bar', 'point', 'circle', 'rule', 'tick'];
const rowsMax = 20_000;

interface Channel {
  readonly field: string;
  readonly title: string;
  readonly discrete: boolean;
  readonly time: boolean;
}

interface Scale {
  at(value: unknown): number;
  readonly ticks: readonly { readonly at: number; readonly label: string }[];
  readonly band: number;
}

export function chartSvg(spec: Json): string {
  const layers = Array.isArray(spec['layer']) ? (spec['layer'] as Json[]) : [spec];
  const shared = objectOf(spec['encoding']);
  const views = layers.map((layer) => ({
    mark: markOf(layer['mark']),
    rows: rowsOf(layer['data'] ?? spec['data']),
    encoding: { ...shared, ...objectOf(layer['encoding']) },
  }));
  const [first] = views;
  if (first === undefined) throw new Error('the chart has no layer');
  const width = sizeOf(spec['width'], 480);
  const height = sizeOf(spec['height'], 260);
  const bars = views.some(({ mark }) => mark === 'bar');
  const x = channelOf(first.encoding, 'x', first.rows, bars);
  const y = channelOf(first.encoding, 'y', first.rows, false);
  const color =
    first.encoding['color'] === undefined ? undefined : channelOf(first.encoding, 'color', first.rows, true);
  const values = (channel: string): unknown[] =>
    views.flatMap(({ rows, encoding }) => {
      const field = fieldOf(encoding, channel);
      return field === undefined ? [] : rows.map((row) => row[field]);
    });
  const filled = views.some(({ mark }) => mark === 'bar' || mark === 'area');
  const xScale = scaleOf(values('x'), x, 0, width, false);
  const yScale = scaleOf(values('y'), y, height, 0, filled);
  const groups = color === undefined ? [''] : distinct(values('color'));
  const drawn = views.flatMap(({ mark, rows, encoding }) => {
    const [xField = x.field, yField = y.field] = [fieldOf(encoding, 'x'), fieldOf(encoding, 'y')];
    const colorField = fieldOf(encoding, 'color');
    return groups.map((group, index) => {
      const own = colorField === undefined ? rows : rows.filter((row) => String(row[colorField]) === group);
      if (colorField === undefined && index > 0) return '';
      const points = own
        .map((row) => [xScale.at(row[xField]), yScale.at(row[yField])] as const)
        .filter((point) => point.every(Number.isFinite));
      const place = { index, count: groups.length, width, height, band: xScale.band, base: yScale.at(0) };
      return markSvg(mark, points, palette[index % palette.length] ?? '#4c78a8', place);
    });
  });
  const title = typeof spec['title'] === 'string' ? spec['title'] : '';
  const [left, top, bottom] = [58, title === '' ? 12 : 34, 46];
  const right = color === undefined ? 16 : 130;
  const legend = color === undefined ? '' : groups.map((group, index) => legendSvg(group, index, width + 18)).join('');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="${escapeHtml(title === '' ? `${y.title} by ${x.title}` : title)}" viewBox="0 0 ${width + left + right} ${height + top + bottom}" width="${width + left + right}" font-family="system-ui, sans-serif" font-size="11" fill="#475569">`,
    title === ''
      ? ''
      : `<text x="${left}" y="18" font-size="14" font-weight="600" fill="#0f172a">${escapeHtml(title)}</text>`,
    `<g transform="translate(${left} ${top})">`,
    ...yScale.ticks.map(
      ({ at, label }) =>
        `<line x2="${width}" y1="${at}" y2="${at}" stroke="#e2e8f0"/><text x="-8" y="${at + 4}" text-anchor="end">${escapeHtml(label)}</text>`,
    ),
    ...xScale.ticks.map(
      ({ at, label }) => `<text x="${at}" y="${height + 17}" text-anchor="middle">${escapeHtml(label)}</text>`,
    ),
    `<path d="M0 ${height} H${width}" stroke="#94a3b8"/>`,
    ...drawn,
    legend,
    `<text x="${width / 2}" y="${height + 38}" text-anchor="middle" font-weight="600">${escapeHtml(x.title)}</text>`,
    `<text transform="translate(-44 ${height / 2}) rotate(-90)" text-anchor="middle" font-weight="600">${escapeHtml(y.title)}</text>`,
    '</g></svg>',
  ].join('');
}

interface Place {
  readonly index: number;
  readonly count: number;
  readonly width: number;
  readonly height: number;
  readonly band: number;
  readonly base: number;
}

function markSvg(mark: string, points: readonly (readonly [number, number])[], fill: string, place: Place): string {
  const { width, height, band, index, count } = place;
  const base = Math.min(height, Math.max(0, Number.isFinite(place.base) ? place.base : height));
  const path = points.map(([x, y], at) => `${at === 0 ? 'M' : 'L'}${round(x)} ${round(y)}`).join('');
  switch (mark) {
    case 'line':
      return `<path d="${path}" fill="none" stroke="${fill}" stroke-width="2" stroke-linejoin="round"/>`;
    case 'area': {
      const [from = [0, 0], to = [0, 0]] = [points[0], points.at(-1)];
      return points.length === 0
        ? ''
        : `<path d="${path}L${round(to[0])} ${base}L${round(from[0])} ${base}Z" fill="${fill}" fill-opacity="0.45"/>`;
    }
    case 'bar': {
      const wide = Math.max(1, (band * 0.8) / count);
      return points
        .map(
          ([x, y]) =>
            `<rect x="${round(x - band * 0.4 + index * wide)}" y="${round(Math.min(y, base))}" width="${round(wide)}" height="${round(Math.abs(base - y))}" rx="1.5" fill="${fill}"/>`,
        )
        .join('');
    }
    case 'rule':
      return points
        .map(
          ([, y]) => `<line x2="${width}" y1="${round(y)}" y2="${round(y)}" stroke="${fill}" stroke-dasharray="5 4"/>`,
        )
        .join('');
    case 'tick':
      return points
        .map(
          ([x, y]) =>
            `<line x1="${round(x)}" x2="${round(x)}" y1="${round(y - 7)}" y2="${round(y + 7)}" stroke="${fill}" stroke-width="1.5"/>`,
        )
        .join('');
    default:
      return points
        .map(([x, y]) => `<circle cx="${round(x)}" cy="${round(y)}" r="3.2" fill="${fill}" fill-opacity="0.75"/>`)
        .join('');
  }
}

function legendSvg(group: string, index: number, x: number): string {
  const y = 8 + index * 18;
  return `<rect x="${x}" y="${y - 8}" width="10" height="10" rx="2" fill="${palette[index % palette.length] ?? ''}"/><text x="${x + 16}" y="${y + 1}">${escapeHtml(group.slice(0, 18))}</text>`;
}

function scaleOf(
  values: readonly unknown[],
  { discrete, time }: Channel,
  from: number,
  to: number,
  zero: boolean,
): Scale {
  if (discrete) {
    const names = distinct(values);
    const band = (to - from) / Math.max(1, names.length);
    const at = (value: unknown): number => from + band * (names.indexOf(String(value)) + 0.5);
    const every = Math.max(1, Math.ceil(names.length / 12));
    const ticks = names
      .filter((_, index) => index % every === 0)
      .map((name) => ({ at: at(name), label: name.slice(0, 14) }));
    return { at, ticks, band: Math.abs(band) };
  }
  const number = (value: unknown): number => (time ? Date.parse(String(value)) : Number(value ?? Number.NaN));
  const finite = values.map(number).filter(Number.isFinite);
  let low = finite.reduce((least, value) => Math.min(least, value), zero ? 0 : Number.POSITIVE_INFINITY);
  let high = finite.reduce((most, value) => Math.max(most, value), zero ? 0 : Number.NEGATIVE_INFINITY);
  if (!Number.isFinite(low)) [low, high] = [0, 1];
  if (low === high) [low, high] = [low - 0.5, high + 0.5];
  const step = niceStep((high - low) / 5);
  if (!time) [low, high] = [Math.floor(low / step) * step, Math.ceil(high / step) * step];
  const at = (value: unknown): number => from + ((number(value) - low) / (high - low)) * (to - from);
  const count = Math.min(12, Math.round((high - low) / step));
  const ticks = Array.from({ length: count + 1 }, (_, index) => {
    const value = low + ((high - low) / Math.max(1, count)) * index;
    const place = from + ((value - low) / (high - low)) * (to - from);
    return {
      at: place,
      label: time ? new Date(value).toISOString().slice(5, 16).replace('T', ' ') : String(Number(value.toPrecision(6))),
    };
  });
  return { at, ticks, band: Math.abs(to - from) / Math.max(1, distinct(values).length) };
}

function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((one) => one * power >= rough) ?? 10;
  return factor * power;
}

function channelOf(encoding: Json, name: string, rows: readonly Json[], discrete: boolean): Channel {
  const channel = objectOf(encoding[name]);
  const field = fieldOf(encoding, name);
  if (field === undefined) throw new Error(`the chart's encoding.${name} needs a field`);
  const type = typeof channel['type'] === 'string' ? channel['type'] : '';
  if (channel['aggregate'] !== undefined || channel['bin'] !== undefined || channel['timeUnit'] !== undefined)
    throw new Error(`the chart's encoding.${name} computes (aggregate, bin, timeUnit): compute it in the step`);
  const said = type === 'nominal' || type === 'ordinal';
  const texts = type === '' && rows.some((row) => typeof row[field] === 'string');
  const title = typeof channel['title'] === 'string' ? channel['title'] : field;
  const time = type === 'temporal';
  return { field, title, time, discrete: !time && (said || texts || (discrete && type !== 'quantitative')) };
}

function fieldOf(encoding: Json, name: string): string | undefined {
  const { field } = objectOf(encoding[name]);
  return typeof field === 'string' ? field : undefined;
}

function markOf(mark: unknown): string {
  const type = typeof mark === 'string' ? mark : objectOf(mark)['type'];
  if (typeof type === 'string' && marks.includes(type)) return type;
  throw new Error(`the chart's mark must be one of ${marks.join(', ')}, got ${JSON.stringify(mark) ?? 'nothing'}`);
}

function rowsOf(data: unknown): readonly Json[] {
  const { values } = objectOf(data);
  if (!Array.isArray(values))
    throw new Error("the chart's data.values must be a list of objects: nothing is loaded from elsewhere");
  if (values.length > rowsMax) throw new Error(`the chart has ${values.length} rows, at most ${rowsMax} are drawn`);
  return values.map(objectOf);
}

function sizeOf(value: unknown, otherwise: number): number {
  return typeof value === 'number' && value >= 40 && value <= 4_000 ? value : otherwise;
}

function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function distinct(values: readonly unknown[]): string[] {
  return [...new Set(values.map(String))];
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Figures of a run as SVG, made of numbers alone. */
const box = { width: 480, height: 320, left: 56, top: 40, right: 16, bottom: 44 };
const inner = { width: box.width - box.left - box.right, height: box.height - box.top - box.bottom };

export interface Curve {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** Equal bins between the smallest and the largest value; what is not finite is left out. */
export function histogramOf(
  values: readonly number[],
  bins = 30,
): { readonly edges: readonly number[]; readonly counts: readonly number[] } {
  const finite = values.filter(Number.isFinite);
  const low = finite.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const high = finite.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  if (finite.length === 0) return { edges: [], counts: [] };
  const width = (high - low) / bins || 1;
  const counts = new Array<number>(bins).fill(0);
  for (const value of finite) {
    const bin = Math.min(bins - 1, Math.floor((value - low) / width));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return { edges: Array.from({ length: bins + 1 }, (_, index) => low + index * width), counts };
}

export function histogramSvg(title: string, values: readonly number[], bins?: number): string {
  const { edges, counts } = histogramOf(values, bins);
  const top = Math.max(1, ...counts);
  const step = inner.width / Math.max(1, counts.length);
  const bars = counts.map((count, index) => {
    const height = (count / top) * inner.height;
    return `<rect x="${n(box.left + index * step)}" y="${n(box.top + inner.height - height)}" width="${n(Math.max(0.5, step - 1))}" height="${n(height)}" fill="#2563eb"/>`;
  });
  return framed(title, [...bars, ...axis([edges[0] ?? 0, edges.at(-1) ?? 1], [0, top])]);
}

/** Lines over common axes, such as precision over recall. */
export function curvesSvg(title: string, curves: readonly Curve[]): string {
  const points = curves.flatMap((curve) => curve.points.filter((point) => point.every(Number.isFinite)));
  const range = (values: readonly number[]): readonly [number, number] => {
    const low = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
    const high = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    return values.length === 0 ? [0, 1] : low === high ? [low - 0.5, high + 0.5] : [low, high];
  };
  const [xs, ys] = [range(points.map(([x]) => x)), range(points.map(([, y]) => y))];
  const at = ([x, y]: readonly [number, number]): string =>
    `${n(box.left + ((x - xs[0]) / (xs[1] - xs[0])) * inner.width)},${n(box.top + inner.height - ((y - ys[0]) / (ys[1] - ys[0])) * inner.height)}`;
  const lines = curves.map(({ name, points: all }, index) => {
    const colour = colours[index % colours.length] ?? '#2563eb';
    const finite = all.filter((point) => point.every(Number.isFinite));
    const label = `<text x="${box.left + 8}" y="${box.top + 14 + 15 * index}" font-size="12" fill="${colour}">${escaped(name)}</text>`;
    return `<polyline points="${finite.map(at).join(' ')}" fill="none" stroke="${colour}" stroke-width="1.5"/>${label}`;
  });
  return framed(title, [...lines, ...axis(xs, ys)]);
}

/** Rows are what was true, columns what was predicted. */
export function confusionSvg(title: string, labels: readonly string[], counts: readonly (readonly number[])[]): string {
  const cell = Math.min(inner.width, inner.height) / Math.max(1, labels.length);
  const top = Math.max(1, ...counts.flat());
  const cells = counts.flatMap((row, y) =>
    row.map((count, x) => {
      const share = count / top;
      const [left, up] = [box.left + x * cell, box.top + y * cell];
      return `<rect x="${n(left)}" y="${n(up)}" width="${n(cell)}" height="${n(cell)}" fill="#2563eb" fill-opacity="${share.toFixed(3)}" stroke="#e2e8f0"/><text x="${n(left + cell / 2)}" y="${n(up + cell / 2 + 4)}" font-size="12" text-anchor="middle" fill="${share > 0.5 ? '#ffffff' : '#0f172a'}">${count}</text>`;
    }),
  );
  const names = labels.flatMap((label, index) => [
    `<text x="${box.left - 4}" y="${n(box.top + (index + 0.5) * cell + 4)}" font-size="11" text-anchor="end" fill="#475569">${escaped(label)}</text>`,
    `<text x="${n(box.left + (index + 0.5) * cell)}" y="${n(box.top + labels.length * cell + 16)}" font-size="11" text-anchor="middle" fill="#475569">${escaped(label)}</text>`,
  ]);
  return framed(title, [...cells, ...names]);
}

/** Counts of each pair of true and predicted label; labels in the order of their names. */
export function confusionOf(
  actual: readonly (string | number)[],
  predicted: readonly (string | number)[],
): { readonly labels: readonly string[]; readonly counts: readonly (readonly number[])[] } {
  const labels = [...new Set([...actual, ...predicted].map(String))].sort();
  const place = new Map(labels.map((label, index) => [label, index]));
  const counts = labels.map(() => labels.map(() => 0));
  for (const [index, label] of actual.entries()) {
    const row = counts[place.get(String(label)) ?? 0] ?? [];
    const column = place.get(String(predicted[index])) ?? 0;
    row[column] = (row[column] ?? 0) + 1;
  }
  return { labels, counts };
}

const colours = ['#2563eb', '#c2410c', '#15803d', '#7e22ce', '#0e7490', '#b91c1c'];

function axis(xs: readonly [number, number], ys: readonly [number, number]): readonly string[] {
  const [left, right] = [box.left, box.left + inner.width];
  const [top, base] = [box.top, box.top + inner.height];
  const text = (x: number, y: number, anchor: string, value: number): string =>
    `<text x="${x}" y="${y}" font-size="11" text-anchor="${anchor}" fill="#64748b">${Number(value.toPrecision(4))}</text>`;
  return [
    `<line x1="${left}" y1="${base}" x2="${right}" y2="${base}" stroke="#94a3b8"/>`,
    `<line x1="${left}" y1="${top}" x2="${left}" y2="${base}" stroke="#94a3b8"/>`,
    text(left, base + 16, 'start', xs[0]),
    text(right, base + 16, 'end', xs[1]),
    text(left - 4, base, 'end', ys[0]),
    text(left - 4, top + 10, 'end', ys[1]),
  ];
}

function framed(title: string, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${box.width}" height="${box.height}" viewBox="0 0 ${box.width} ${box.height}" font-family="system-ui, 'DejaVu Sans', sans-serif">`,
    '<rect width="100%" height="100%" fill="#ffffff"/>',
    `<text x="${box.left}" y="24" font-size="14" fill="#0f172a">${escaped(title)}</text>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function n(value: number): string {
  return String(Number(value.toFixed(2)));
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

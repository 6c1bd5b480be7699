/** A card as one HTML page that needs nothing else: no script, no network. What a component holds never becomes markup of its own. */
import { messageOf } from '../../../runtime/ports/errors.ts';
import { chartSvg } from './chart-svg.ts';
import { escapeHtml, markdownHtml } from './markdown.ts';

export interface CardAbout {
  readonly runId: string;
  readonly taskId: string;
  readonly attempt: number;
  /** It may still change: the page asks again every two seconds. */
  readonly live: boolean;
}

type Component = Readonly<Record<string, unknown>>;

const mediaTypes = ['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/svg+xml'];
const rowsMax = 1_000;

export function renderCard(name: string, components: readonly unknown[], about: CardAbout): string {
  const { runId, taskId, attempt, live } = about;
  const state = live ? '<span class="live">live</span>' : '';
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
${live ? '<meta http-equiv="refresh" content="2">' : ''}<title>${escapeHtml(`${taskId} · ${name}`)}</title><style>${style}</style></head>
<body><header><h1>${escapeHtml(taskId)} ${state}</h1><p>${escapeHtml(name)} · attempt ${attempt} · run ${escapeHtml(runId)}</p></header>
<main>${components.map(section).join('\n')}</main></body></html>
`;
}

function section(component: unknown): string {
  try {
    return `<section>${componentHtml((component ?? {}) as Component)}</section>`;
  } catch (error) {
    return `<section>${errorHtml(messageOf(error), '')}</section>`;
  }
}

function componentHtml(component: Component): string {
  switch (component['type']) {
    case 'markdown':
      return markdownHtml(text(component['text']));
    case 'table':
      return tableHtml(list(component['columns']).map(text), list(component['rows']).map(list));
    case 'image': {
      const mediaType = text(component['mediaType']);
      if (!mediaTypes.includes(mediaType))
        throw new Error(`an image of type ${mediaType} is not shown: ${mediaTypes.join(', ')} are`);
      const base64 = text(component['base64']).replaceAll(/[^A-Za-z0-9+/=]/g, '');
      return `<img alt="${escapeHtml(text(component['alt']))}" src="data:${mediaType};base64,${base64}">`;
    }
    case 'chart':
      return chartSvg((component['spec'] ?? {}) as Component);
    case 'progress':
      return progressHtml(text(component['label']), Number(component['value']), Number(component['max']));
    case 'artifact':
      return `<h3><code>${escapeHtml(text(component['name']))}</code></h3><pre>${escapeHtml(text(component['text']))}</pre>`;
    case 'json':
      return `<pre>${escapeHtml(JSON.stringify(component['value'], null, 2) ?? 'null')}</pre>`;
    case 'error':
      return errorHtml(text(component['message']), text(component['stack']));
    default:
      throw new Error(`there is no component '${text(component['type'])}'`);
  }
}

function tableHtml(columns: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const numeric = columns.map((_, at) =>
    rows.every((row) => typeof row[at] === 'number' || (row[at] ?? null) === null),
  );
  const cell = (value: unknown, at: number): string =>
    `<td${numeric[at] === true ? ' class="number"' : ''}>${escapeHtml(typeof value === 'number' ? String(Number(value.toPrecision(8))) : text(value))}</td>`;
  const more = rows.length > rowsMax ? `<p class="note">${rows.length - rowsMax} more rows are not shown</p>` : '';
  return `<table><thead><tr>${columns.map((name, at) => `<th${numeric[at] === true ? ' class="number"' : ''}>${escapeHtml(name)}</th>`).join('')}</tr></thead><tbody>${rows
    .slice(0, rowsMax)
    .map((row) => `<tr>${columns.map((_, at) => cell(row[at], at)).join('')}</tr>`)
    .join('')}</tbody></table>${more}`;
}

function progressHtml(label: string, value: number, max: number): string {
  const share = Number.isFinite(value / max) ? Math.max(0, Math.min(1, value / max)) : 0;
  return `<div class="progress"><span>${escapeHtml(label)}</span><progress value="${share}" max="1">${Math.round(100 * share)} %</progress><span>${escapeHtml(`${Number(value.toPrecision(6))} / ${max}`)}</span></div>`;
}

function errorHtml(message: string, stack: string): string {
  const more = stack === '' ? '' : `<pre>${escapeHtml(stack)}</pre>`;
  return `<div class="error" role="alert"><strong>${escapeHtml(message)}</strong>${more}</div>`;
}

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? '' : (JSON.stringify(value) ?? '');
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

const style = `:root{color-scheme:light dark;--ink:#0f172a;--soft:#64748b;--line:#e2e8f0;--page:#f6f8fb;--sheet:#fff}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.55 system-ui,'Segoe UI',sans-serif}
header,main{max-width:880px;margin:0 auto;padding:0 20px}header{padding-top:26px}h1{font-size:21px;margin:0}header p{margin:2px 0 16px;color:var(--soft);font-size:13px}
.live{font-size:11px;vertical-align:3px;background:#16a34a;color:#fff;border-radius:9px;padding:2px 9px}
section{background:var(--sheet);border:1px solid var(--line);border-radius:12px;padding:14px 20px;margin:0 0 14px;overflow-x:auto}
section>:first-child{margin-top:0}section>:last-child{margin-bottom:0}table{border-collapse:collapse;font-size:14px}th,td{padding:6px 14px 6px 0;border-bottom:1px solid var(--line);text-align:left}
th{color:var(--soft);font-weight:600}.number{text-align:right;font-variant-numeric:tabular-nums}pre{background:var(--page);border-radius:8px;padding:10px 12px;overflow-x:auto;font-size:13px}
img,svg{max-width:100%;height:auto}.progress{display:flex;gap:14px;align-items:center}.progress progress{flex:1;height:12px;accent-color:#2563eb}
.error{border-left:4px solid #dc2626;padding-left:14px;color:#b91c1c}.error pre{color:var(--ink)}.note{color:var(--soft)}blockquote{border-left:3px solid var(--line);margin:0;padding-left:14px;color:var(--soft)}
@media (prefers-color-scheme:dark){:root{--ink:#e2e8f0;--soft:#94a3b8;--line:#334155;--page:#0f172a;--sheet:#1e293b}svg{background:#fff;border-radius:8px}}`;

/** The part of CommonMark that notes are written in: headings, paragraphs, lists, quotes, code, emphasis, links, tables by pipes. No HTML. */
export function markdownHtml(text: string): string {
  const out: string[] = [];
  const lines = text.replaceAll('\r', '').split('\n');
  for (let at = 0; at < lines.length; ) {
    const line = lines[at] ?? '';
    const heading = /^(#{1,6})\s+(.*)$/.exec(line);
    if (line.trim() === '') at += 1;
    else if (line.startsWith('```')) {
      const end = lines.findIndex((other, index) => index > at && other.startsWith('```'));
      const stop = end < 0 ? lines.length : end;
      out.push(`<pre><code>${escapeHtml(lines.slice(at + 1, stop).join('\n'))}</code></pre>`);
      at = stop + 1;
    } else if (heading !== null) {
      const level = heading[1]?.length ?? 1;
      out.push(`<h${level}>${inline(heading[2] ?? '')}</h${level}>`);
      at += 1;
    } else if (/^(-{3,}|\*{3,})$/.test(line.trim())) {
      out.push('<hr>');
      at += 1;
    } else {
      const kind = kindOf(line);
      const block: string[] = [];
      while (at < lines.length && (lines[at] ?? '').trim() !== '' && kindOf(lines[at] ?? '') === kind) {
        block.push(lines[at] ?? '');
        at += 1;
      }
      out.push(blockHtml(kind, block));
    }
  }
  return out.join('\n');
}

type Kind = 'bullets' | 'numbers' | 'quote' | 'table' | 'text' | 'other';

function kindOf(line: string): Kind {
  if (/^\s*[-*+]\s+/.test(line)) return 'bullets';
  if (/^\s*\d+[.)]\s+/.test(line)) return 'numbers';
  if (/^>\s?/.test(line)) return 'quote';
  if (line.startsWith('|')) return 'table';
  return /^(#{1,6}\s|```)/.test(line) ? 'other' : 'text';
}

function blockHtml(kind: Kind, lines: readonly string[]): string {
  const items = (mark: RegExp): string => lines.map((line) => `<li>${inline(line.replace(mark, ''))}</li>`).join('');
  switch (kind) {
    case 'bullets':
      return `<ul>${items(/^\s*[-*+]\s+/)}</ul>`;
    case 'numbers':
      return `<ol>${items(/^\s*\d+[.)]\s+/)}</ol>`;
    case 'quote':
      return `<blockquote>${lines.map((line) => inline(line.replace(/^>\s?/, ''))).join('<br>')}</blockquote>`;
    case 'table': {
      const rows = lines.filter((line) => !/^\|[\s:|-]+$/.test(line)).map((line) => line.split('|').slice(1, -1));
      const cells = (row: readonly string[], tag: string): string =>
        `<tr>${row.map((cell) => `<${tag}>${inline(cell.trim())}</${tag}>`).join('')}</tr>`;
      return `<table>${rows.map((row, index) => cells(row, index === 0 ? 'th' : 'td')).join('')}</table>`;
    }
    default:
      return `<p>${lines.map(inline).join('\n')}</p>`;
  }
}

function inline(text: string): string {
  return text
    .split(/(`[^`]+`)/)
    .map((part) => {
      if (part.length > 2 && part.startsWith('`') && part.endsWith('`'))
        return `<code>${escapeHtml(part.slice(1, -1))}</code>`;
      return escapeHtml(part)
        .replaceAll(/\[([^\]]+)\]\((https?:\/\/[^\s)]+)\)/g, '<a href="$2" rel="noreferrer">$1</a>')
        .replaceAll(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>')
        .replaceAll(/\*([^*\s][^*]*)\*/g, '<em>$1</em>');
    })
    .join('');
}

export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

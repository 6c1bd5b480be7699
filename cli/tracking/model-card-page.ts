/** A model card as Markdown, and as a page that needs no network and runs nothing. What people wrote never becomes markup of the page. */
import type { ModelCard } from '../../sdk/client/index.ts';
import { escaped } from '../ui/escape-xml.ts';
import { type Block, cardSections } from './model-card-sections.ts';

export function cardMarkdown(card: ModelCard): string {
  const parts = cardSections(card).flatMap(({ title, blocks }) => [`## ${title}`, ...blocks.map(blockMarkdown)]);
  return `${[`# ${plain(card.model)}, version ${card.version}`, ...parts].join('\n\n')}\n`;
}

function blockMarkdown(block: Block): string {
  switch (block.type) {
    case 'text':
      return block.text.trim();
    case 'facts':
      return block.rows.map(([what, text]) => `- **${plain(what)}**: ${plain(text)}`).join('\n');
    case 'table': {
      const line = (cells: readonly string[]): string => `| ${cells.map((cell) => plain(cell)).join(' | ')} |`;
      return [line(block.heads), `|${block.heads.map(() => ' --- |').join('')}`, ...block.rows.map(line)].join('\n');
    }
  }
}

/** One line, in which nothing is markup. */
function plain(text: string): string {
  return text.replace(/[\r\n]+/g, ' ').replace(/[\\`*_[\]<>|#]/g, (mark) => `\\${mark}`);
}

export function cardHtml(card: ModelCard): string {
  const title = escaped(`${card.model}, version ${card.version}`);
  const sections = cardSections(card).map(
    ({ title: name, blocks }) => `<section><h2>${escaped(name)}</h2>${blocks.map(blockHtml).join('')}</section>`,
  );
  return [
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src \'unsafe-inline\'">',
    `<title>${title}</title>`,
    '<style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;color:#0f172a}',
    'h1{margin-bottom:.25rem}h2{margin-top:2rem;border-bottom:1px solid #e2e8f0}table{border-collapse:collapse;margin:.75rem 0}',
    'td,th{padding:.25rem .75rem;text-align:left;border-bottom:1px solid #e2e8f0;overflow-wrap:anywhere;vertical-align:top}',
    'dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem}dt{color:#64748b}dd{margin:0;overflow-wrap:anywhere}',
    '.said{white-space:pre-wrap}</style>',
    `<h1>${title}</h1>`,
    ...sections,
    '</html>',
    '',
  ].join('\n');
}

function blockHtml(block: Block): string {
  switch (block.type) {
    case 'text':
      return `<p class="said">${escaped(block.text.trim())}</p>`;
    case 'facts':
      return `<dl>${block.rows.map(([what, text]) => `<dt>${escaped(what)}</dt><dd>${escaped(text)}</dd>`).join('')}</dl>`;
    case 'table': {
      const cells = (row: readonly string[], tag: string): string =>
        `<tr>${row.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('')}</tr>`;
      return `<table><thead>${cells(block.heads, 'th')}</thead><tbody>${block.rows.map((row) => cells(row, 'td')).join('')}</tbody></table>`;
    }
  }
}

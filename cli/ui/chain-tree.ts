import type { CausalChain, Link } from '../../services/provenance/index.ts';
import { bold, cyan, dim, green, red } from './style.ts';

/** The chain as two trees: causes downwards to the first ones, then what came of it. */
export function drawChain({ causes, effects, verified, id, kind }: CausalChain): string {
  const all = [...causes, ...effects];
  const broken = all.filter((link) => !link.verified);
  const verdict = verified
    ? green(`all ${all.length} links hold`)
    : red(`${broken.length} link(s) broken: ${broken.map((link) => `${link.kind} ${link.id}`).join(', ')}`);
  const lines = [`${bold(`${kind} ${id}`)}  ${verdict}`, ...drawTree(causes)];
  if (effects.length > 0) lines.push(bold('what came of it'), ...drawTree(effects));
  return lines.join('\n');
}

function drawTree(links: readonly Link[]): string[] {
  const lines: string[] = [];
  const draw = (under: number | null, lead: string): void => {
    const children = links.flatMap((link, index) => (link.under === under ? [index] : []));
    for (const index of children) {
      const link = links[index];
      if (link === undefined) continue;
      const last = index === children.at(-1);
      const below = `${lead}${last ? '   ' : '│  '}`;
      lines.push(`${dim(`${lead}${last ? '└─ ' : '├─ '}`)}${drawLink(link)}`);
      if (link.problem !== undefined) lines.push(`${dim(below)}  ${red(link.problem)}`);
      draw(index, below);
    }
  };
  draw(null, '');
  return lines;
}

function drawLink({ verified, hash, at, kind, id, text }: Link): string {
  const mark = verified ? green('✔') : red('✘');
  const shownHash = hash === undefined ? '' : dim(` sha256:${hash.slice(0, 12)}`);
  const shownAt = at === undefined ? '' : dim(` ${at}`);
  return `${mark} ${cyan(kind)} ${shorten(id)} ${text}${shownAt}${shownHash}`;
}

function shorten(id: string): string {
  return id.length === 64 ? `${id.slice(0, 12)}…` : id;
}

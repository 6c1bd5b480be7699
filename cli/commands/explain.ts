import type { CausalChain, Link } from '../../services/provenance/index.ts';
import { type CommandModule, optionsOf, print } from '../command.ts';
import { exitCode } from '../exit-codes.ts';
import { withPlatform } from '../session.ts';
import { bold, cyan, dim, green, red } from '../ui/style.ts';

export const command: CommandModule = {
  configure: (cmd) =>
    cmd.argument('<id>', 'a prediction id').action(async (id: string) => {
      const options = optionsOf(cmd);
      await withPlatform(options, async ({ client }) => {
        const chain = (await client.explain(id)) as CausalChain;
        print(options.json === true ? JSON.stringify(chain, null, 2) : drawChain(chain));
        if (!chain.verified) process.exitCode = exitCode.failure;
      });
    }),
};

/** The chain as a tree: causes downwards to the first one, then what came of it. */
export function drawChain({ causes, effects, verified, id }: CausalChain): string {
  const broken = [...causes, ...effects].filter((link) => !link.verified);
  const verdict = verified
    ? green(`all ${causes.length + effects.length} links hold`)
    : red(`${broken.length} link(s) broken: ${broken.map(({ kind, id: which }) => `${kind} ${which}`).join(', ')}`);
  const lines = [`${bold(`prediction ${id}`)}  ${verdict}`];
  causes.forEach((link, depth) => lines.push(...drawLink(link, `${'  '.repeat(Math.min(depth, 8))}└─ `)));
  if (effects.length > 0) lines.push(bold('what came of it'), ...effects.flatMap((link) => drawLink(link, '  ├─ ')));
  return lines.join('\n');
}

function drawLink(link: Link, lead: string): string[] {
  const mark = link.verified ? green('✔') : red('✘');
  const hash = link.hash === undefined ? '' : dim(` sha256:${link.hash.slice(0, 12)}`);
  const at = link.at === undefined ? '' : dim(` ${link.at}`);
  const line = `${dim(lead)}${mark} ${cyan(link.kind)} ${shorten(link.id)} ${link.text}${at}${hash}`;
  return link.problem === undefined ? [line] : [line, `${' '.repeat(lead.length)}  ${red(link.problem)}`];
}

function shorten(id: string): string {
  return id.length === 64 ? `${id.slice(0, 12)}…` : id;
}

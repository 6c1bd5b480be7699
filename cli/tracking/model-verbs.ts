/** Verbs of `models` beyond list and alias. */
import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { RegisteredVersion } from '../../sdk/client/index.ts';
import { wholeNumber } from '../arguments.ts';
import { optionsOf, repeatable, say, show } from '../command.ts';
import { withPlatform } from '../session.ts';
import { dim } from '../ui/style.ts';
import { ago, table } from '../ui/table.ts';
import { cardHtml, cardMarkdown } from './model-card-page.ts';

interface RegisterOptions {
  readonly run?: string;
  readonly description?: string;
  readonly tag: readonly string[];
}

export function modelVerbs(cmd: Command): void {
  const register = cmd
    .command('register')
    .description('a new version from files of a run; the model is made when it is not there')
    .argument('<model>')
    .argument('<source>', 'runs:/<run>/<path>, models:/m-<id>, mlflow-artifacts:/…, or an address on another store')
    .option('--run <run-id>', 'the run that made it (default: that of a runs:/ source)')
    .option('--description <text>', 'of the version, Markdown')
    .option('--tag <key=value>', 'repeatable', repeatable, []);
  register.action(async (model: string, source: string) => {
    const options = optionsOf<RegisterOptions>(register);
    const { run, description, tag } = options;
    await withPlatform(options, async ({ client }) => {
      const runId = run ?? /^runs:\/([^/]+)\//.exec(source)?.[1];
      const tags = Object.fromEntries(tag.map(pairOf));
      const version = await client.registry.register(model, { source, runId, description, tags });
      show(options, version, ({ version: number }) => `models:/${model}/${number}`);
    });
  });

  const card = cmd
    .command('card')
    .description('what a version is, how it was made, how good it was then and is now: as Markdown, or as a page')
    .argument('<model/version>', 'or <model>@<alias>')
    .option('--html <file>', 'a page that needs no network');
  card.action(async (what: string) => {
    const options = optionsOf<{ html?: string }>(card);
    const [, model = '', version, alias = ''] = /^(?:models:\/)?(.+?)(?:\/(\d+)|@(.+))$/.exec(what) ?? [];
    if (model === '') {
      throw new MillraceError('INVALID_ARGUMENT', `'${what}' names no version: say wine/3, or wine@champion`);
    }
    await withPlatform(options, async ({ client }) => {
      const found = await client.models.card(model, version === undefined ? alias : Number(version));
      if (options.html === undefined) {
        show(options, found, cardMarkdown);
        return;
      }
      writeFileSync(options.html, cardHtml(found));
      say(`wrote ${options.html}`);
    });
  });

  const search = cmd
    .command('search')
    .description('versions')
    .argument('[filter]', "such as \"name LIKE 'wine%' AND tags.checked = 'yes'\"");
  search.action(async (filter?: string) => {
    const options = optionsOf(search);
    await withPlatform(options, async ({ client }) => {
      show(options, await client.registry.versions(filter), versionTable);
    });
  });

  const describe = cmd
    .command('describe')
    .description('sets the description of a model or of one version, Markdown: the beginning of its card')
    .argument('<model[/version]>')
    .argument('<text>');
  describe.action(async (what: string, text: string) => {
    const options = optionsOf(describe);
    const { model, version } = named(what);
    await withPlatform(options, async ({ client }) => {
      await client.registry.describe(model, text, version);
      show(options, { model, version: version ?? null, description: text }, () => `described ${what}`);
    });
  });

  const tag = cmd
    .command('tag')
    .description('sets tags, or takes them away')
    .argument('<model[/version]>')
    .argument('[key=value...]')
    .option('--remove <key>', 'repeatable', repeatable, []);
  tag.action(async (what: string, given: readonly string[]) => {
    const options = optionsOf<{ remove: readonly string[] }>(tag);
    const { model, version } = named(what);
    await withPlatform(options, async ({ client }) => {
      for (const key of options.remove) await client.registry.untag(model, key, version);
      for (const [key, value] of given.map(pairOf)) await client.registry.tag(model, key, value, version);
      show(options, { model, version: version ?? null, set: given, removed: options.remove }, () => `tagged ${what}`);
    });
  });

  const stage = cmd
    .command('stage')
    .description('None, Staging, Production or Archived')
    .argument('<model>')
    .argument('<version>')
    .argument('<stage>')
    .option('--archive-existing', 'other versions leave the stage');
  stage.action(async (model: string, version: string, to: string) => {
    const options = optionsOf<{ archiveExisting?: true }>(stage);
    const number = wholeNumber('<version>', version);
    await withPlatform(options, async ({ client }) => {
      await client.registry.stage(model, number, to, options.archiveExisting === true);
      show(options, { model, version: number, stage: to }, () => `${model}/${version} is in ${to}`);
    });
  });

  const remove = cmd
    .command('delete')
    .description('a version, or a model with all of them')
    .argument('<model[/version]>');
  remove.action(async (what: string) => {
    const options = optionsOf(remove);
    const { model, version } = named(what);
    await withPlatform(options, async ({ client }) => {
      await client.registry.delete(model, version);
      show(options, { model, version: version ?? null, deleted: true }, () => `deleted ${what}`);
    });
  });
}

function versionTable(rows: readonly RegisteredVersion[]): string {
  if (rows.length === 0) return dim('no versions');
  return table(rows, [
    { title: 'MODEL', value: ({ model }) => model },
    { title: 'VERSION', value: ({ version }) => version, align: 'right' },
    { title: 'ALIASES', value: ({ aliases }) => aliases.join(', ') },
    { title: 'STAGE', value: ({ stage }) => (stage === 'None' ? '' : stage) },
    { title: 'REGISTERED', value: ({ createdAt }) => ago(createdAt) },
    { title: 'RUN', value: ({ runId }) => runId ?? '' },
    { title: 'BY', value: ({ user }) => user },
  ]);
}

/** `wine` or `wine/3`. */
function named(what: string): { readonly model: string; readonly version: number | undefined } {
  const [, model = what, version] = /^(.+)\/(\d+)$/.exec(what) ?? [];
  return { model, version: version === undefined ? undefined : Number(version) };
}

function pairOf(pair: string): readonly [string, string] {
  const at = pair.indexOf('=');
  return at < 1 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
}

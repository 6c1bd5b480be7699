/** Verbs of `models` about who may move an alias, and who did. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { MillraceError, messageOf } from '../../runtime/ports/errors.ts';
import type { AliasRuleDocument, RegistryMove } from '../../sdk/client/index.ts';
import { wholeNumber } from '../arguments.ts';
import { optionsOf, show } from '../command.ts';
import { withPlatform } from '../session.ts';
import { dim } from '../ui/style.ts';
import { table } from '../ui/table.ts';

export function modelRuleVerbs(cmd: Command): void {
  const history = cmd.command('history').description('who moved which alias and stage when').argument('<model>');
  history.action(async (model: string) => {
    const options = optionsOf(history);
    await withPlatform(options, async ({ client }) => {
      show(options, await client.registry.moves(model), moveTable);
    });
  });

  const at = cmd
    .command('at')
    .description('what aliases and stages named at a time')
    .argument('<model>')
    .argument('<time>', 'ISO 8601, or milliseconds');
  at.action(async (model: string, time: string) => {
    const options = optionsOf(at);
    await withPlatform(options, async ({ client }) => {
      show(options, await client.registry.at(model, time), ({ aliases, stages }) => moveTable([...aliases, ...stages]));
    });
  });

  const rules = cmd.command('rules').description('what must hold before aliases move').argument('<model>');
  rules.action(async (model: string) => {
    const options = optionsOf(rules);
    await withPlatform(options, async ({ client }) => {
      show(options, await client.registry.rules(model), (rows) =>
        rows.length === 0
          ? dim('no rules: any alias moves at once')
          : table(rows, [
              { title: 'ALIAS', value: ({ alias }) => alias },
              { title: 'RULE', value: ({ rule }) => JSON.stringify(rule) },
              { title: 'BY', value: ({ actor }) => actor },
              {
                title: 'PROPOSED',
                value: ({ proposal }) => (proposal === null ? '' : `version ${proposal.version} by ${proposal.actor}`),
              },
            ]),
      );
    });
  });

  const protect = cmd
    .command('protect')
    .description('sets the rule of an alias')
    .argument('<model>')
    .argument('<alias>')
    .argument('[rule]', 'JSON, or @file; such as {"approval":true,"metrics":[{"metric":"rmse","better":"lower"}]}')
    .option('--remove', 'the alias has no rule any more');
  protect.action(async (model: string, alias: string, text: string | undefined) => {
    const options = optionsOf<{ remove?: true }>(protect);
    if ((text === undefined) !== (options.remove === true))
      throw new MillraceError('INVALID_ARGUMENT', 'give a rule, or --remove');
    const rule = text === undefined ? null : ruleOf(text);
    await withPlatform(options, async ({ client }) => {
      await client.registry.protect(model, alias, rule);
      show(options, { model, alias, rule }, () =>
        rule === null ? `${model}@${alias} moves at once` : `${model}@${alias} moves by its rule`,
      );
    });
  });

  for (const [verb, summary] of [
    ['approve', 'lets a proposed version have the alias; for somebody else than who proposed it'],
    ['reject', 'puts a proposal away'],
  ] as const) {
    const deciding = cmd
      .command(verb)
      .description(summary)
      .argument('<model>')
      .argument('<alias>')
      .argument('<version>')
      .option('--reason <text>', 'kept with the decision', '');
    deciding.action(async (model: string, alias: string, version: string) => {
      const options = optionsOf<{ reason: string }>(deciding);
      const number = wholeNumber('<version>', version);
      await withPlatform(options, async ({ client }) => {
        if (verb === 'approve') await client.registry.approve(model, alias, number);
        else await client.registry.reject(model, alias, number, options.reason);
        show(options, { model, alias, version: number, decision: verb }, () =>
          verb === 'approve' ? `models:/${model}@${alias} is version ${version}` : `version ${version} was put away`,
        );
      });
    });
  }
}

function moveTable(moves: readonly RegistryMove[]): string {
  if (moves.length === 0) return dim('nothing');
  return table(moves, [
    { title: 'WHEN', value: ({ at }) => new Date(at).toISOString() },
    { title: 'WHAT', value: ({ kind, label }) => `${kind} ${label}` },
    { title: 'VERSION', value: ({ version, removed }) => `${removed ? 'left ' : ''}${version}`, align: 'right' },
    { title: 'BY', value: ({ actor }) => actor },
  ]);
}

function ruleOf(text: string): AliasRuleDocument {
  try {
    return JSON.parse(text.startsWith('@') ? readFileSync(text.slice(1), 'utf8') : text) as AliasRuleDocument;
  } catch (error) {
    throw new MillraceError('INVALID_ARGUMENT', `the rule is no JSON: ${messageOf(error)}`);
  }
}

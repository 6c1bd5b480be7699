/** Who moved which alias and stage when, what was in production at a time, and the rules that aliases have. */
import { invalidArgument } from '../../../runtime/ports/errors.ts';
import type { Kysely } from 'kysely';
import type { AliasRuleShown, RegistryAt, RegistryMove } from '../../../schemas/api/registry.ts';
import type { TrackingRows } from '../tables.ts';
import type { Room } from './calls.ts';
import type { Fields } from './fields.ts';
import { editModel, shownModel } from './registry.ts';

const movesMax = 10_000;
const base = '/api/v1/models/:model';

export function registryHistory(room: Room): void {
  const { read, write, tracking } = room;

  read('GET', `${base}/moves`, async ({ fields }) => {
    const moves = await movesOf(await tracking.fresh('registry'), fields.text('model'), untilOf(fields, 'until'));
    return { moves: moves.reverse() };
  });

  read('GET', `${base}/at`, async ({ fields }): Promise<RegistryAt> => {
    const model = fields.text('model');
    const at = untilOf(fields, 'time');
    if (at === undefined) throw invalidArgument("Missing value for required parameter 'time'.");
    const moves = await movesOf(await tracking.fresh('registry'), model, at + 1);
    const aliases = new Map<string, RegistryMove>();
    const stages = new Map<number, RegistryMove>();
    for (const move of moves) {
      if (move.kind === 'stage') stages.set(move.version, move);
      else if (!move.removed) aliases.set(move.label, move);
      else if (aliases.get(move.label)?.version === move.version) aliases.delete(move.label);
    }
    return {
      model,
      at,
      aliases: [...aliases.values()],
      stages: [...stages.values()].filter(({ label }) => label !== 'None'),
    };
  });

  read('GET', `${base}/rules`, async ({ fields }) => {
    const name = fields.text('model');
    const database = await tracking.fresh('registry');
    await shownModel(database, name);
    const rules = await database
      .selectFrom('alias_rules')
      .selectAll()
      .where('name', '=', name)
      .orderBy('alias')
      .execute();
    const proposals = await database.selectFrom('alias_proposals').selectAll().where('name', '=', name).execute();
    return {
      rules: rules.map(({ alias, rule, actor }): AliasRuleShown => {
        const proposed = proposals.find((each) => each.alias === alias);
        return {
          alias,
          rule: JSON.parse(rule) as AliasRuleShown['rule'],
          actor,
          proposal:
            proposed === undefined ? null : { version: proposed.version, actor: proposed.actor, at: proposed.at_ms },
        };
      }),
    };
  });

  write('POST', `${base}/rules`, 'model.protect-alias', async (call) => {
    const { fields } = call;
    const rule = fields.all()['rule'];
    const value = rule === null || rule === undefined ? '' : JSON.stringify(rule);
    await editModel(room, call, { model: fields.text('model'), edit: 'protect', key: fields.text('alias'), value });
    return {};
  });

  for (const edit of ['approve', 'reject'] as const) {
    write('POST', `${base}/aliases/:alias/${edit}`, `model.${edit}-alias`, async (call) => {
      const { fields } = call;
      const version = fields.integer('version');
      if (version === undefined) throw invalidArgument("Missing value for required parameter 'version'.");
      const value = fields.optional('reason') ?? '';
      await editModel(room, call, { model: fields.text('model'), edit, key: fields.text('alias'), version, value });
      return {};
    });
  }
}

/** In their order, up to this time. */
async function movesOf(
  database: Kysely<TrackingRows>,
  name: string,
  until: number | undefined,
): Promise<RegistryMove[]> {
  let query = database.selectFrom('registry_moves').selectAll().where('name', '=', name);
  if (until !== undefined) query = query.where('at_ms', '<', until);
  // What one move takes away comes before what it gives.
  const rows = await query.orderBy('at_ms', 'desc').orderBy('removed').limit(movesMax).execute();
  return rows.reverse().map(({ kind, label, version, removed, at_ms, actor }) => ({
    kind: kind === 'stage' ? 'stage' : 'alias',
    label,
    version,
    removed: removed === 1,
    at: at_ms,
    actor,
  }));
}

function untilOf(fields: Fields, name: string): number | undefined {
  const text = fields.optional(name);
  if (text === undefined) return undefined;
  const time = /^\d+$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isSafeInteger(time)) return time;
  throw invalidArgument(`Invalid ${name} '${text.slice(0, 40)}': it must be milliseconds, or ISO 8601`);
}

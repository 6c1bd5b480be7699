import { Type } from 'typebox';
import { MillraceError } from '../../../runtime/ports/index.ts';
import type { ModelVersionRow } from '../../../schemas/events.ts';
import { idOf, nameParam, type Routes } from '../gateway-context.ts';
import { waitForRow } from '../tables.ts';

const tags = ['models'];
const params = Type.Object({ model: nameParam });

/** List, show, set alias. */
export const models: Routes = (app, { options, operations, decisions, tables }) => {
  app.get('/api/v1/models', { config: { access: 'read' }, schema: { tags } }, async () => {
    await tables.models.refresh();
    const byModel = new Map<string, ModelVersionRow[]>();
    for (const row of tables.models.rows()) byModel.set(row.model, [...(byModel.get(row.model) ?? []), row]);
    return {
      models: [...byModel]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([model, rows]) => ({ model, versions: rows.length, aliases: aliasesOf(rows) })),
    };
  });

  app.get<{ Params: { model: string } }>(
    '/api/v1/models/:model',
    { config: { access: 'read' }, schema: { tags, params } },
    async ({ params: { model } }) => {
      await tables.models.refresh();
      const rows = tables.models.rows().filter((row) => row.model === model);
      if (rows.length === 0) throw new MillraceError('NOT_FOUND', `there is no model '${model}'`);
      return { model, aliases: aliasesOf(rows), versions: [...rows].sort((a, b) => b.version - a.version) };
    },
  );

  app.put<{ Params: { model: string; alias: string }; Body: { version: number } }>(
    '/api/v1/models/:model/aliases/:alias',
    {
      config: { access: 'write', action: 'model.set-alias' },
      schema: {
        tags,
        params: Type.Object({ model: nameParam, alias: nameParam }),
        body: Type.Object({ version: Type.Integer({ minimum: 1 }) }, { additionalProperties: false }),
      },
    },
    async (request) => {
      const operation = operations.begin(request);
      const { requestId, actor } = operation;
      const { model, alias } = request.params;
      const data = { model, requestId, alias, version: request.body.version, actor };
      const id = idOf('alias', model, requestId);
      const set = await decisions.ask('alias-set', model, requestId, () =>
        operations.publish(
          request,
          operation,
          `${model}@${alias}`,
          [{ topic: 'registry', type: 'alias-requested', data, key: model, id }],
          { version: data.version },
        ),
      );
      const there = () => tables.models.get(`${model}/${set.version}`)?.aliases.includes(alias) === true;
      await waitForRow(tables.models, there, `alias '${alias}' of model '${model}'`, {
        clock: options.runtime.parts.clock,
        timeoutMs: options.decisionTimeoutMs,
      });
      return { model, alias, version: set.version, previous: set.previous };
    },
  );
};

function aliasesOf(rows: readonly ModelVersionRow[]): Readonly<Record<string, number>> {
  return Object.fromEntries(rows.flatMap(({ aliases, version }) => aliases.map((alias) => [alias, version] as const)));
}

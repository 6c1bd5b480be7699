import { idOf } from '../../../schemas/derived-ids.ts';
import { Type } from 'typebox';
import { MillraceError } from '../../../runtime/ports/index.ts';
import type { ModelVersionRow } from '../../../schemas/events.ts';
import { modelNamePattern } from '../../../schemas/codec/model-names.ts';
import type { Routes } from '../gateway-context.ts';
import { waitForRow } from '../tables.ts';

const tags = ['models'];
const model = Type.String({ pattern: modelNamePattern });
const params = Type.Object({ model });

/** List, show, set alias. */
export const models: Routes = (app, { options, operations, decisions, tables }) => {
  app.get(
    '/api/v1/models',
    { config: { access: 'read' }, schema: { summary: 'models with their number of versions and their aliases', tags } },
    async () => {
      await tables.models.refresh();
      const byModel = new Map<string, ModelVersionRow[]>();
      for (const row of tables.models.rows()) byModel.set(row.model, [...(byModel.get(row.model) ?? []), row]);
      return {
        models: [...byModel]
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, rows]) => ({ model: name, versions: rows.length, aliases: aliasesOf(rows) })),
      };
    },
  );

  app.get<{ Params: { model: string } }>(
    '/api/v1/models/:model',
    { config: { access: 'read' }, schema: { summary: 'versions and aliases of a model', tags, params } },
    async (request) => {
      const name = request.params.model;
      await tables.models.refresh();
      const rows = tables.models.rows().filter((row) => row.model === name);
      if (rows.length === 0) throw new MillraceError('NOT_FOUND', `there is no model '${name}'`);
      return { model: name, aliases: aliasesOf(rows), versions: [...rows].sort((a, b) => b.version - a.version) };
    },
  );

  app.put<{ Params: { model: string; alias: string }; Body: { version: number } }>(
    '/api/v1/models/:model/aliases/:alias',
    {
      config: { access: 'write', action: 'model.set-alias' },
      schema: {
        summary: 'let an alias name a version, by the rules of the alias',
        tags,
        params: Type.Object({ model, alias: Type.String() }),
        body: Type.Object({ version: Type.Integer({ minimum: 1 }) }, { additionalProperties: false }),
      },
    },
    async (request) => {
      const operation = operations.begin(request);
      const { requestId, actor } = operation;
      const { model: name, alias: label } = request.params;
      const data = { model: name, requestId, alias: label, version: request.body.version, actor };
      const id = idOf('alias', name, requestId);
      const set = await decisions.ask('alias-set', name, requestId, () =>
        operations.publish(
          request,
          operation,
          `${name}@${label}`,
          [{ topic: 'registry', type: 'alias-requested', data, key: name, id }],
          { version: data.version },
        ),
      );
      const there = () => tables.models.get(`${name}/${set.version}`)?.aliases.includes(label) === true;
      await waitForRow(tables.models, there, `alias '${label}' of model '${name}'`, {
        clock: options.runtime.parts.clock,
        timeoutMs: options.decisionTimeoutMs,
      });
      return { model: name, alias: label, version: set.version, previous: set.previous };
    },
  );
};

function aliasesOf(rows: readonly ModelVersionRow[]): Readonly<Record<string, number>> {
  return Object.fromEntries(rows.flatMap(({ aliases, version }) => aliases.map((alias) => [alias, version] as const)));
}

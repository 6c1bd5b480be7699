/** What can be searched, and how its names lie in tables. Names are MLflow's, with its aliases; `beyond` marks what it does not have. */
import { type RawBuilder, sql, type SqlBool } from 'kysely';
import {
  type Comparison,
  compareKeyed,
  compareNumber,
  compareText,
  type Condition,
  type Domain,
  type OrderColumn,
  type Plans,
} from './conditions.ts';
import type { Key } from './parser.ts';
import { invalid } from './tokens.ts';

interface Attribute {
  readonly column: RawBuilder<unknown>;
  readonly type: 'text' | 'number';
  readonly nullable?: boolean;
}

const text = (column: string): Attribute => ({ column: sql.ref(column), type: 'text' });
const number = (column: string, nullable = false): Attribute => ({ column: sql.ref(column), type: 'number', nullable });

const attributeEntities = ['attribute', 'attributes', 'attr', 'run'];
const metricEntities = ['metric', 'metrics'];
const paramEntities = ['param', 'params', 'parameter', 'parameters'];
const tagEntities = ['tag', 'tags'];
const datasetEntities = ['dataset', 'datasets'];
/** Beyond MLflow: files by path and sha256. */
const artifactEntities = ['artifact', 'artifacts'];

const runAttributes: Readonly<Record<string, Attribute>> = {
  run_id: text('runs.id'),
  run_name: text('runs.name'),
  'run name': text('runs.name'),
  status: text('runs.status'),
  user_id: text('runs.user_id'),
  artifact_uri: text('runs.artifact_uri'),
  experiment_id: text('runs.experiment_id'),
  start_time: number('runs.start_ms'),
  created: number('runs.start_ms'),
  end_time: number('runs.end_ms', true),
  // Beyond MLflow: milliseconds.
  duration: { column: sql`(runs.end_ms - runs.start_ms)`, type: 'number', nullable: true },
};

const runPlans: Plans = {
  ordered({ entity, name }, scope) {
    if (!metricEntities.includes(entity)) return undefined;
    const value = sql.ref('ordered.value');
    return {
      table: sql`latest_metrics as ordered`,
      where: sql<SqlBool>`ordered.run_id = runs.id and ordered.experiment_id in (${sql.join(scope)}) and ordered.key = ${name} and ordered.is_nan = 0`,
      value,
      absent: sql<SqlBool>`not exists (select 1 from latest_metrics as o where o.run_id = runs.id and o.key = ${name} and o.is_nan = 0)`,
      narrowed: (comparison) =>
        metricEntities.includes(comparison.key.entity) && comparison.key.name === name
          ? compareNumber(value, comparison)
          : undefined,
    };
  },
  found(comparison, scope) {
    const { key, operator } = comparison;
    if (metricEntities.includes(key.entity) && operator !== '!=') {
      return sql`select f.run_id from latest_metrics as f where f.experiment_id in (${sql.join(scope)})
        and f.key = ${key.name} and f.is_nan = 0 and ${compareNumber(sql.ref('f.value'), comparison)}`;
    }
    return undefined;
  },
};

export const runDomain: Domain = {
  plans: runPlans,
  entities: new Set([
    ...attributeEntities,
    ...metricEntities,
    ...paramEntities,
    ...tagEntities,
    ...datasetEntities,
    ...artifactEntities,
  ]),
  condition(comparison) {
    const { entity, name } = comparison.key;
    if (metricEntities.includes(entity)) {
      const rows = sql`select 1 from latest_metrics as m where m.run_id = runs.id and m.key = ${name}`;
      const value = sql`m.is_nan = 0 and m.value`;
      return sql<SqlBool>`exists (${rows} and ${compareNumber(value, comparison)})`;
    }
    if (paramEntities.includes(entity)) {
      return compareKeyed(
        sql`select 1 from params as p where p.run_id = runs.id and p.key = ${name}`,
        sql`p.value`,
        comparison,
      );
    }
    if (tagEntities.includes(entity)) {
      return compareKeyed(
        sql`select 1 from tags as t where t.run_id = runs.id and t.key = ${name}`,
        sql`t.value`,
        comparison,
      );
    }
    if (datasetEntities.includes(entity)) {
      const column = oneOf(name, ['name', 'digest', 'context'], 'a dataset');
      const rows = sql`select 1 from datasets as d where d.run_id = runs.id`;
      return compareKeyed(rows, sql.ref(`d.${column}`), comparison);
    }
    if (artifactEntities.includes(entity)) {
      const column = oneOf(name, ['path', 'hash'], 'an artifact');
      const rows = sql`select 1 from artifacts as a where a.owner_id = runs.id`;
      return compareKeyed(rows, sql.ref(`a.${column}`), comparison);
    }
    if (name.toLowerCase() === 'text') return anyText(comparison);
    return compareAttribute(comparison, runAttributes);
  },
  order({ entity, name }, index) {
    const joined = (table: string, type: OrderColumn['type'], alias: string): OrderColumn => ({
      value:
        type === 'number'
          ? sql`case when ${sql.ref(`${alias}.is_nan`)} = 0 then ${sql.ref(`${alias}.value`)} end`
          : sql.ref(`${alias}.value`),
      type,
      nullable: true,
      join: sql`left join ${sql.table(table)} as ${sql.ref(alias)} on ${sql.ref(`${alias}.run_id`)} = runs.id and ${sql.ref(`${alias}.key`)} = ${name}`,
    });
    if (metricEntities.includes(entity)) return joined('latest_metrics', 'number', `m${index}`);
    if (paramEntities.includes(entity)) return joined('params', 'text', `p${index}`);
    if (tagEntities.includes(entity)) return joined('tags', 'text', `t${index}`);
    return orderAttribute({ entity, name }, runAttributes);
  },
};

/** Beyond MLflow: any text of a run, which is its name, and the values of its tags and parameters. */
function anyText(comparison: Comparison): Condition {
  if (!['=', 'like', 'ilike'].includes(comparison.operator)) throw invalid("'text' takes = LIKE and ILIKE");
  const value = (alias: string): Condition => compareText(sql.ref(`${alias}.value`), comparison);
  return sql<SqlBool>`(${compareText(sql.ref('runs.name'), comparison)}
    or exists (select 1 from tags as t where t.run_id = runs.id and ${value('t')})
    or exists (select 1 from params as p where p.run_id = runs.id and ${value('p')}))`;
}

const experimentAttributes: Readonly<Record<string, Attribute>> = {
  experiment_id: text('experiments.id'),
  name: text('experiments.name'),
  creation_time: number('experiments.created_ms'),
  last_update_time: number('experiments.updated_ms'),
};

export const experimentDomain = taggedDomain(
  ['attribute', 'attributes', 'attr', 'experiment'],
  experimentAttributes,
  (key) => sql`select 1 from experiment_tags as t where t.experiment_id = experiments.id and t.key = ${key}`,
);

export const registeredModelDomain = taggedDomain(
  ['attribute', 'attributes', 'attr', 'model'],
  {
    name: text('registered_models.name'),
    creation_timestamp: number('registered_models.created_ms'),
    timestamp: number('registered_models.updated_ms'),
    last_updated_timestamp: number('registered_models.updated_ms'),
  },
  (key) => sql`select 1 from registered_model_tags as t where t.name = registered_models.name and t.key = ${key}`,
);

export const modelVersionDomain = taggedDomain(
  ['attribute', 'attributes', 'attr', 'model_version'],
  {
    name: text('model_versions.name'),
    version_number: number('model_versions.version'),
    version: number('model_versions.version'),
    run_id: text('model_versions.run_id'),
    source_path: text('model_versions.source'),
    creation_timestamp: number('model_versions.created_ms'),
    last_updated_timestamp: number('model_versions.updated_ms'),
  },
  (key) =>
    sql`select 1 from model_version_tags as t where t.name = model_versions.name and t.version = model_versions.version and t.key = ${key}`,
);

const loggedModelAttributes: Readonly<Record<string, Attribute>> = {
  name: text('logged_models.name'),
  model_id: text('logged_models.id'),
  model_type: text('logged_models.model_type'),
  status: text('logged_models.status'),
  source_run_id: text('logged_models.source_run_id'),
  creation_time: number('logged_models.created_ms'),
  creation_timestamp: number('logged_models.created_ms'),
  last_updated_timestamp: number('logged_models.updated_ms'),
};

/** What a metric of a logged model was measured on; without a digest any of the name, without a name anything. */
export interface MetricDataset {
  readonly name: string;
  readonly digest: string;
}

/**
 * @param datasets on one of which the metrics of a filter were measured; none: on anything
 * @param orders by the index of the order
 */
export const loggedModelDomain = (datasets: readonly MetricDataset[], orders: readonly MetricDataset[]): Domain => ({
  entities: new Set(['attribute', 'attributes', 'attr', ...metricEntities, ...paramEntities, ...tagEntities]),
  condition(comparison) {
    const { entity, name } = comparison.key;
    if (metricEntities.includes(entity)) {
      const rows = sql`select 1 from logged_model_metrics as m where m.model_id = logged_models.id and m.key = ${name} and ${measuredOn(datasets)}`;
      return sql<SqlBool>`exists (${rows} and ${compareNumber(sql`m.is_nan = 0 and m.value`, comparison)})`;
    }
    const table = paramEntities.includes(entity) ? 'logged_model_params' : 'logged_model_tags';
    if (paramEntities.includes(entity) || tagEntities.includes(entity)) {
      const rows = sql`select 1 from ${sql.table(table)} as t where t.model_id = logged_models.id and t.key = ${name}`;
      return compareKeyed(rows, sql`t.value`, comparison);
    }
    return compareAttribute(comparison, loggedModelAttributes);
  },
  order({ entity, name }, index) {
    if (!metricEntities.includes(entity)) return orderAttribute({ entity, name }, loggedModelAttributes);
    const on = measuredOn(orders.slice(index, index + 1));
    const value = sql`(select max(m.value) from logged_model_metrics as m where m.model_id = logged_models.id and m.key = ${name} and m.is_nan = 0 and ${on})`;
    return { value, type: 'number', nullable: true };
  },
});

function measuredOn(datasets: readonly MetricDataset[]): Condition {
  const named = datasets.filter(({ name }) => name !== '');
  if (named.length === 0) return sql<SqlBool>`1 = 1`;
  const each = named.map(({ name, digest }) =>
    digest === '' ? sql`m.dataset_name = ${name}` : sql`(m.dataset_name = ${name} and m.dataset_digest = ${digest})`,
  );
  return sql<SqlBool>`(${sql.join(each, sql` or `)})`;
}

function taggedDomain(
  attributeNames: readonly string[],
  attributes: Readonly<Record<string, Attribute>>,
  tagRows: (key: string) => RawBuilder<unknown>,
): Domain {
  return {
    entities: new Set([...attributeNames, ...tagEntities]),
    condition: (comparison) =>
      tagEntities.includes(comparison.key.entity)
        ? compareTag(comparison, tagRows(comparison.key.name))
        : compareAttribute(comparison, attributes),
    order: (key) => orderAttribute(key, attributes),
  };
}

/** 3.x clients ask for models that are no prompts in these words, and mean those without the tag as well. */
const promptTag = 'mlflow.prompt.is_prompt';

function compareTag(comparison: Comparison, rows: RawBuilder<unknown>): Condition {
  if (comparison.key.name !== promptTag || comparison.operator !== '!=') {
    return compareKeyed(rows, sql`t.value`, comparison);
  }
  return sql<SqlBool>`not exists (${rows} and ${compareText(sql`t.value`, { ...comparison, operator: '=' })})`;
}

function compareAttribute(comparison: Comparison, attributes: Readonly<Record<string, Attribute>>): Condition {
  const { column, type } = attributeOf(comparison.key, attributes);
  if (comparison.operator === 'is null') return sql<SqlBool>`${column} is null`;
  if (comparison.operator === 'is not null') return sql<SqlBool>`${column} is not null`;
  return type === 'number' ? compareNumber(column, comparison) : compareText(column, comparison);
}

function orderAttribute(key: Key, attributes: Readonly<Record<string, Attribute>>): OrderColumn {
  const { column, type, nullable = false } = attributeOf(key, attributes);
  return { value: column, type, nullable };
}

function attributeOf({ entity, name }: Key, attributes: Readonly<Record<string, Attribute>>): Attribute {
  const known = name.toLowerCase();
  if (Object.hasOwn(attributes, known)) return attributes[known] as Attribute;
  const said = entity === '' ? name : `${entity}.${name}`;
  throw invalid(`there is no attribute '${said.slice(0, 80)}'; there are ${Object.keys(attributes).join(', ')}`);
}

function oneOf(name: string, names: readonly string[], what: string): string {
  if (names.includes(name)) return name;
  throw invalid(`${what} has ${names.join(', ')}, not '${name.slice(0, 80)}'`);
}

/**
 * Fields of MLflow's calls for the OpenAPI document, by path: names, `!` behind those that must be there, `:type` where it is no text. The calls
 * read their fields by themselves (`Fields`), since MLflow answers wrong ones with messages and codes of its own.
 */
const paging = 'max_results:integer page_token';
const pair = 'key! value!';
const model = 'name!';
const version = 'name! version!';

const fields: Readonly<Record<string, string>> = {
  '/mlflow/experiments/create': 'name! artifact_location tags:Pair[]',
  '/mlflow/experiments/get': 'experiment_id!',
  '/mlflow/experiments/get-by-name': 'experiment_name!',
  '/mlflow/experiments/search': `filter order_by:text[] view_type ${paging}`,
  '/mlflow/experiments/update': 'experiment_id! new_name!',
  '/mlflow/experiments/delete': 'experiment_id!',
  '/mlflow/experiments/restore': 'experiment_id!',
  '/mlflow/experiments/set-experiment-tag': `experiment_id! ${pair}`,
  '/mlflow/experiments/delete-experiment-tag': 'experiment_id! key!',
  '/mlflow/experiments/search-datasets': 'experiment_ids:text[]!',
  '/mlflow/runs/create': 'experiment_id! user_id run_name start_time:integer tags:Pair[]',
  '/mlflow/runs/get': 'run_id!',
  '/mlflow/runs/update': 'run_id! status end_time:integer run_name',
  '/mlflow/runs/delete': 'run_id!',
  '/mlflow/runs/restore': 'run_id!',
  '/mlflow/runs/search': `experiment_ids:text[]! filter run_view_type order_by:text[] ${paging}`,
  '/mlflow/runs/log-metric':
    'run_id! key! value:number! timestamp:integer! step:integer model_id dataset_name dataset_digest',
  '/mlflow/runs/log-parameter': `run_id! ${pair}`,
  '/mlflow/runs/set-tag': `run_id! ${pair}`,
  '/mlflow/runs/delete-tag': 'run_id! key!',
  '/mlflow/runs/log-batch': 'run_id! metrics:Metric[] params:Pair[] tags:Pair[]',
  '/mlflow/runs/log-inputs': 'run_id! datasets:DatasetInput[] models:ModelInput[]',
  '/mlflow/runs/log-model': 'run_id! model_json!',
  '/mlflow/runs/outputs': 'run_id! models:ModelOutput[]!',
  '/mlflow/metrics/get-history': `run_id! metric_key! ${paging}`,
  '/mlflow/metrics/get-history-bulk-interval':
    'run_ids:text[]! metric_key! start_step:integer end_step:integer max_results:integer',
  '/mlflow/artifacts/list': 'run_id! path page_token',
  '/mlflow/logged-models': 'experiment_id! name model_type source_run_id params:Pair[] tags:Pair[]',
  '/mlflow/logged-models/search': `experiment_ids:text[]! filter ${paging}`,
  '/mlflow/registered-models/create': 'name! description tags:Pair[]',
  '/mlflow/registered-models/rename': 'name! new_name!',
  '/mlflow/registered-models/update': 'name! description',
  '/mlflow/registered-models/delete': model,
  '/mlflow/registered-models/get': model,
  '/mlflow/registered-models/search': `filter order_by:text[] ${paging}`,
  '/mlflow/registered-models/get-latest-versions': 'name! stages:text[]',
  '/mlflow/registered-models/set-tag': `name! ${pair}`,
  '/mlflow/registered-models/delete-tag': 'name! key!',
  '/mlflow/registered-models/alias': 'name! alias! version',
  '/mlflow/model-versions/create': 'name! source! run_id run_link description model_id tags:Pair[]',
  '/mlflow/model-versions/update': `${version} description`,
  '/mlflow/model-versions/delete': version,
  '/mlflow/model-versions/get': version,
  '/mlflow/model-versions/get-download-uri': version,
  '/mlflow/model-versions/search': `filter order_by:text[] ${paging}`,
  '/mlflow/model-versions/transition-stage': `${version} stage! archive_existing_versions:flag`,
  '/mlflow/model-versions/set-tag': `${version} ${pair}`,
  '/mlflow/model-versions/delete-tag': `${version} key!`,
};

const types: Readonly<Record<string, string>> = {
  Pair: pair,
  Metric: 'key! value:number! timestamp:integer! step:integer model_id dataset_name dataset_digest',
  DatasetInput: 'tags:Pair[] dataset:Dataset!',
  Dataset: 'name! digest! source_type! source! schema profile',
  ModelInput: 'model_id!',
  ModelOutput: 'model_id! step:integer',
};

/** JSON Schema of the fields of a call; undefined of one whose path says all. */
export function shapeOf(path: string): object | undefined {
  const said = fields[path];
  return said === undefined ? undefined : objectOf(said);
}

function objectOf(said: string): object {
  const properties: Record<string, object> = {};
  const required: string[] = [];
  for (const word of said.split(' ')) {
    const [name = '', type = 'text'] = word.replace('!', '').split(':');
    properties[name] = typeOf(type);
    if (word.endsWith('!')) required.push(name);
  }
  return { type: 'object', properties, ...(required.length === 0 ? {} : { required }) };
}

function typeOf(type: string): object {
  if (type.endsWith('[]')) return { type: 'array', items: typeOf(type.slice(0, -2)) };
  switch (type) {
    case 'text':
      return { type: 'string' };
    case 'flag':
      return { type: 'boolean' };
    case 'integer':
      return { type: 'integer' };
    case 'number':
      return { anyOf: [{ type: 'number' }, { type: 'string', enum: ['NaN', 'Infinity', '-Infinity'] }] };
    default:
      return objectOf(types[type] ?? '');
  }
}

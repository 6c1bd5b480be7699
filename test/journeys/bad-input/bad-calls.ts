/** Bad calls over HTTP, and how each is answered. */
import { infer } from './bad-records.ts';

export interface BadCall {
  readonly what: string;
  /** @default 'POST' */
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: string | Uint8Array;
  /** @default 'application/json' */
  readonly type?: string;
  readonly status: number;
  readonly code: string;
  /** The message names all of these. */
  readonly says: readonly string[];
  /** What it leaves on the log: a refused operation (writes), a failed prediction, or nothing (reads, and what nobody can tell apart from noise). */
  readonly leaves: 'operation' | 'prediction' | 'nothing';
}

const predict = '/v2/models/iris/infer';
const yaml = 'application/yaml';

export const badCalls: readonly BadCall[] = [
  {
    what: 'a path that is none',
    method: 'GET',
    path: '/api/v1/modles',
    status: 404,
    code: 'NOT_FOUND',
    says: ['nothing at this path'],
    leaves: 'nothing',
  },
  {
    what: 'a prediction that is no JSON',
    path: predict,
    body: '{"inputs": [',
    status: 400,
    code: 'INVALID_ARGUMENT',
    says: ['JSON'],
    leaves: 'nothing',
  },
  {
    what: 'a prediction of another shape',
    path: predict,
    body: '{"inputs": 3}',
    status: 400,
    code: 'INVALID_ARGUMENT',
    says: ["'inputs' must be a list"],
    leaves: 'prediction',
  },
  {
    what: 'too few features',
    path: predict,
    body: infer([1, 2]),
    status: 400,
    code: 'INVALID_ARGUMENT',
    says: ["input 'X': shape must be [-1, 4], got [1, 2]"],
    leaves: 'prediction',
  },
  {
    what: 'another datatype',
    path: predict,
    body: infer([1, 2, 3, 4], { datatype: 'INT64' }),
    status: 400,
    code: 'INVALID_ARGUMENT',
    says: ['datatype must be FP32, got INT64'],
    leaves: 'prediction',
  },
  {
    what: 'NaN',
    path: predict,
    body: infer([1, 'NaN', 3, 4]),
    status: 400,
    code: 'INVALID_ARGUMENT',
    says: ["input 'X': value 1 is NaN"],
    leaves: 'prediction',
  },
  {
    what: 'an unknown deployment',
    path: '/v2/models/irsi/infer',
    body: infer(),
    status: 404,
    code: 'NOT_FOUND',
    says: ["no deployment 'irsi'", 'deployed are iris'],
    leaves: 'prediction',
  },
  {
    what: 'an oversize body',
    path: predict,
    body: new Uint8Array(17_000_000).fill(32),
    status: 413,
    code: 'TOO_LARGE',
    says: ['larger than'],
    leaves: 'nothing',
  },
  {
    what: 'a trigger without a name',
    path: '/api/v1/triggers',
    body: '{"payload": {}}',
    status: 400,
    code: 'INVALID_ARGUMENT',
    says: ['body.name must be a text of 1 to 256 characters'],
    leaves: 'operation',
  },
  {
    what: 'a trigger whose payload is a list',
    path: '/api/v1/triggers',
    body: '{"name": "measured", "payload": [1]}',
    status: 400,
    code: 'INVALID_ARGUMENT',
    says: ['payload must be a JSON object'],
    leaves: 'operation',
  },
  {
    what: 'feedback for no prediction',
    path: '/api/v1/feedback',
    body: '{"predictionId": "p-1", "truth": "high"}',
    status: 400,
    code: 'INVALID_ARGUMENT',
    says: ['predictionId must be the id of a prediction, got "p-1"', 'truth must be a number, got "high"'],
    leaves: 'operation',
  },
  {
    what: 'feedback that says nothing',
    path: '/api/v1/feedback',
    body: '{"predictionId": "p-1"}',
    status: 400,
    code: 'INVALID_ARGUMENT',
    says: ['truth, label or reward must be given'],
    leaves: 'operation',
  },
  {
    what: 'a deployment of a model that nobody registered',
    path: '/api/v1/deployments',
    body: "name: other\nroutes: [{ name: only, model: 'models:/irsi/1' }]",
    type: yaml,
    status: 400,
    code: 'INVALID_ARGUMENT',
    says: ['irsi'],
    leaves: 'operation',
  },
  {
    what: 'a deployment that is no YAML',
    path: '/api/v1/deployments',
    body: 'name: [other',
    type: yaml,
    status: 400,
    code: 'INVALID_ARGUMENT',
    says: ['line 1'],
    leaves: 'operation',
  },
  {
    what: 'a deployment with a field that is none',
    path: '/api/v1/deployments',
    body: 'name: other\nruotes: []',
    type: yaml,
    status: 400,
    code: 'INVALID_ARGUMENT',
    says: ['ruotes'],
    leaves: 'operation',
  },
  {
    what: 'a run of a flow that nobody deployed',
    path: '/api/v1/runs',
    body: '{"flow": "bad-inptu"}',
    status: 404,
    code: 'NOT_FOUND',
    says: ["'bad-inptu'"],
    leaves: 'operation',
  },
  {
    what: 'a run with a parameter of another type',
    path: '/api/v1/runs',
    body: '{"flow": "bad-input", "parameters": {"number": "many"}}',
    status: 400,
    code: 'INVALID_ARGUMENT',
    says: ['number', 'integer', 'many'],
    leaves: 'operation',
  },
  {
    what: 'a run with a parameter that the flow has not',
    path: '/api/v1/runs',
    body: '{"flow": "bad-input", "parameters": {"numbre": 1}}',
    status: 400,
    code: 'INVALID_ARGUMENT',
    says: ['numbre'],
    leaves: 'operation',
  },
  {
    what: 'an alias of a version that is not there',
    method: 'PUT',
    path: '/api/v1/models/iris-logreg/aliases/best',
    body: '{"version": 9}',
    status: 400,
    code: 'INVALID_ARGUMENT',
    says: ['iris-logreg', '9'],
    leaves: 'operation',
  },
  {
    what: 'a replay of a dead letter that is none',
    path: '/api/v1/dead-letters/replay',
    body: '{"id": "scorer/0@7"}',
    status: 404,
    code: 'NOT_FOUND',
    says: ['no dead letter scorer/0@7'],
    leaves: 'operation',
  },
];

/**
 * MLflow's scoring server: `POST /endpoints/<deployment>/invocations`, and `POST /invocations` for the deployment that the header
 * `millrace-deployment` names, or the only one. JSON (`dataframe_split`, `dataframe_records`, `instances`, `inputs`) and CSV; answers
 * `{predictions}`, errors `{error_code, message}` as MLflow has them. `/version` is that of the tracking API.
 */
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { MillraceError } from '../../../runtime/ports/index.ts';
import { parseCsv } from '../../../runtime/tensors/csv.ts';
import { retryAfter, statusOf } from '../error-answers.ts';
import { anyJson, type GatewayContext, nameParam, type Routes } from '../gateway-context.ts';
import { invocationsBody } from '../neighbours/invocations-body.ts';
import { csvBody, nested, type OpenBody } from '../neighbours/tabular.ts';
import { callHeaders, inferenceOf, shownMessage } from './open-inference.ts';

const tags = ['MLflow scoring'];
const csvType = 'text/csv';

/** A body in CSV. */
class CsvText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export const invocations: Routes = (app, context) => {
  app.get(
    '/ping',
    { config: { access: 'public' }, schema: { summary: 'whether the server takes requests, as MLflow asks', tags } },
    async (_, reply) => {
      const ready = context.options.inference !== undefined && context.options.unready() === undefined;
      return await reply
        .code(ready ? 200 : 404)
        .type('application/json')
        .send('\n');
    },
  );
  app.register((scope, _, done) => {
    scope.addContentTypeParser(csvType, { parseAs: 'string' }, (_request, body, parsed) =>
      parsed(null, new CsvText(body as string)),
    );
    scope.setErrorHandler((error: FastifyError | Error, _request, reply) => sendError(reply, error));
    addRoutes(scope, context);
    done();
  });
};

function addRoutes(scope: FastifyInstance, context: GatewayContext): void {
  const body = anyJson('{dataframe_split | dataframe_records | instances | inputs, params?}, or CSV');
  const summary = "ask for predictions by the protocol of MLflow's scoring server";
  const schema = { summary, tags, body, consumes: ['application/json', csvType] };
  scope.post<{ Params: { deployment: string } }>(
    '/endpoints/:deployment/invocations',
    { config: { access: 'predict' }, schema: { ...schema, params: Type.Object({ deployment: nameParam }) } },
    (request, reply) => invoke(request.params.deployment, request, reply, context),
  );
  scope.post('/invocations', { config: { access: 'predict' }, schema }, (request, reply) =>
    invoke(deploymentOf(request, context), request, reply, context),
  );
}

function deploymentOf(request: FastifyRequest, context: GatewayContext): string {
  const named = request.headers['millrace-deployment'];
  if (typeof named === 'string' && named !== '') return named;
  const names = inferenceOf(context)
    .deployments()
    .map(({ name }) => name);
  if (names.length === 1 && names[0] !== undefined) return names[0];
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `${names.length} deployments are served: name one in the path, /endpoints/<deployment>/invocations, or in the header millrace-deployment`,
  );
}

async function invoke(
  deployment: string,
  request: FastifyRequest,
  reply: FastifyReply,
  context: GatewayContext,
): Promise<FastifyReply> {
  const inference = inferenceOf(context);
  const answer = await inference.inferOpen({
    ...callHeaders(request),
    deployment,
    body: async (): Promise<OpenBody> => {
      if (request.body instanceof CsvText) return csvBody(parseCsv(request.body.text));
      return invocationsBody(request.body, (await inference.describe(deployment)).signature.inputs);
    },
  });
  reply.header('millrace-prediction', answer.predictionId);
  if (answer.type === 'failed') {
    return await sendError(reply, { code: answer.code, message: shownMessage(answer.code, answer.message) });
  }
  const { outputs } = answer.body as {
    readonly outputs: readonly {
      readonly name: string;
      readonly shape: readonly number[];
      readonly data: readonly unknown[];
    }[];
  };
  const lists = outputs.map(({ name, shape, data }) => [name, nested(data, shape)] as const);
  const predictions = lists.length === 1 ? lists[0]?.[1] : Object.fromEntries(lists);
  return await reply.type('application/json').send(JSON.stringify({ predictions }));
}

async function sendError(
  reply: FastifyReply,
  error: FastifyError | Error | { readonly code: string; readonly message: string },
): Promise<FastifyReply> {
  const given = error as { readonly code?: string; readonly statusCode?: number };
  const own = error instanceof MillraceError || !(error instanceof Error);
  const unauthenticated = error instanceof MillraceError && error.details['status'] === 401;
  const status = unauthenticated ? 401 : own ? statusOf(given.code ?? 'INTERNAL') : (given.statusCode ?? 500);
  const hidden = status >= 500 && !own;
  if (status === 503 || status === 429) reply.header('retry-after', retryAfter(error));
  const message = hidden ? 'the call failed for a reason inside of the platform' : error.message;
  return await reply
    .code(status)
    .send({ error_code: errorCodes[status] ?? (status < 500 ? 'BAD_REQUEST' : 'INTERNAL_ERROR'), message });
}

const errorCodes: Readonly<Record<number, string>> = {
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'RESOURCE_DOES_NOT_EXIST',
  429: 'REQUEST_LIMIT_EXCEEDED',
  503: 'TEMPORARILY_UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

/**
 * The protocol of Seldon Core 1, for clients that move: `POST /seldon/<namespace>/<deployment>/api/v1.0/predictions` (and `/v0.1/`), and
 * `/feedback`. There are no namespaces; any is taken. The answer's `meta.puid` is the caller's, or else the prediction id; feedback finds
 * its prediction by `response.meta.tags.prediction_id`, or by the puid.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { MillraceError } from '../../../runtime/ports/index.ts';
import { feedbackIdOfCall, idOf } from '../../../schemas/derived-ids.ts';
import { readFeedback } from '../../../schemas/feedback-check.ts';
import { statusOf } from '../error-answers.ts';
import { anyJson, type GatewayContext, nameParam, type Routes } from '../gateway-context.ts';
import { type DataForm, dataOf, seldonBody, seldonData, truthOf } from '../neighbours/seldon-message.ts';
import { callHeaders, inferenceOf, shownMessage } from './open-inference.ts';

const tags = ['Seldon v1'];
const params = Type.Object({ namespace: nameParam, deployment: nameParam });

interface Named {
  readonly Params: { readonly namespace: string; readonly deployment: string };
}

interface Meta {
  readonly puid?: string;
  readonly tags?: Readonly<Record<string, unknown>>;
}

export const seldonV1: Routes = (app, context) => {
  for (const version of ['v1.0', 'v0.1']) {
    const base = `/seldon/:namespace/:deployment/api/${version}`;
    app.post<Named>(
      `${base}/predictions`,
      {
        config: { access: 'predict' },
        schema: {
          summary: 'ask for a prediction by the protocol of Seldon v1',
          tags,
          params,
          body: anyJson('SeldonMessage: {meta?, data: {names?, tensor | ndarray}}'),
        },
      },
      (request, reply) => predict(request, reply, context),
    );
    app.post<Named>(
      `${base}/feedback`,
      {
        config: { access: 'write', action: 'feedback.give' },
        schema: {
          summary: 'reward or truth for a prediction, by the protocol of Seldon v1',
          tags,
          params,
          body: anyJson('Feedback: {request?, response: {meta: {puid}}, reward?, truth?}; truth has one value per row'),
        },
      },
      (request) => giveFeedback(request, context),
    );
  }
};

async function predict(
  request: FastifyRequest<Named>,
  reply: FastifyReply,
  context: GatewayContext,
): Promise<FastifyReply> {
  const inference = inferenceOf(context);
  const { deployment } = request.params;
  const puid = puidOf(request.body);
  let form: DataForm = 'ndarray';
  const answer = await inference.inferOpen({
    ...callHeaders(request),
    deployment,
    clientId: puid,
    source: puid === undefined ? undefined : 'seldon',
    body: async () => {
      const data = dataOf(request.body, 'the message');
      form = data.form;
      return seldonBody(data, (await inference.describe(deployment)).signature.inputs);
    },
  });
  const { predictionId } = answer;
  reply.header('millrace-prediction', predictionId);
  if (answer.type === 'failed') {
    const code = statusOf(answer.code);
    if (code === 503) reply.header('retry-after', '1');
    const info = shownMessage(answer.code, answer.message);
    return await reply.code(code).send({
      status: { code, info, reason: answer.code, status: 'FAILURE' },
      meta: { puid: puid ?? predictionId, tags: { prediction_id: predictionId } },
    });
  }
  reply.header('x-seldon-route', `:${answer.route}:`);
  const { outputs, parameters } = answer.body as {
    readonly outputs: Parameters<typeof seldonData>[0];
    readonly parameters?: Readonly<Record<string, unknown>>;
  };
  return await reply.send({
    meta: {
      puid: puid ?? predictionId,
      tags: { prediction_id: predictionId },
      requestPath: { [answer.route]: `${String(parameters?.['model'])}:${String(parameters?.['model_version'])}` },
    },
    data: seldonData(outputs, form),
  });
}

async function giveFeedback(request: FastifyRequest<Named>, { options, operations }: GatewayContext): Promise<object> {
  const operation = operations.begin(request);
  const { response, truth, reward } = (request.body ?? {}) as {
    readonly response?: { readonly meta?: Meta };
    readonly truth?: unknown;
    readonly reward?: unknown;
  };
  const given = response?.meta?.tags?.['prediction_id'] ?? response?.meta?.puid;
  const said = { predictionId: given, reward, ...truthOf(truth) };
  const read = readFeedback(said, options.runtime.partitions('predictions'));
  if (read.problems !== undefined) {
    throw new MillraceError('INVALID_ARGUMENT', `feedback (response.meta, reward, truth): ${read.problems.join('; ')}`);
  }
  const data = read.feedback;
  const recordId = idOf('feedback', operation.actor, operation.requestId);
  const feedbackId = feedbackIdOfCall(recordId, data.predictionId);
  await operations.publish(
    request,
    operation,
    data.predictionId,
    [{ topic: 'feedback', type: 'feedback-given', data, key: data.predictionId, id: recordId }],
    { feedbackId },
  );
  return { meta: { puid: response?.meta?.puid ?? data.predictionId, tags: { feedback_id: feedbackId } } };
}

function puidOf(body: unknown): string | undefined {
  const puid = ((body ?? {}) as { readonly meta?: Meta }).meta?.puid as unknown;
  if (puid === undefined || puid === null || puid === '') return undefined;
  if (typeof puid === 'string' && puid.length <= 256) return puid;
  throw new MillraceError('INVALID_ARGUMENT', 'meta.puid must be a text of at most 256 characters');
}

/**
 * Predictions that nobody waits for: a request is handed in, and asked for later. What is handed in is a record of `prediction-requests`
 * like any other, its outcome one of `predictions`; the id names both, so nothing is kept beside the log, and any gateway can answer.
 */
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { MillraceError } from '../../../runtime/ports/index.ts';
import type { CompletedPrediction, FailedPrediction, ShownPrediction } from '../../../schemas/api/predictions.ts';
import { plainJson } from '../../../schemas/codec/plain-json.ts';
import { predictionId, predictionIdOfClient } from '../../../schemas/derived-ids.ts';
import type { PredictionCompleted } from '../../../schemas/events.ts';
import { partitionOf } from '../../../schemas/partitioner.ts';
import { tensorValues } from '../../../topologies/tensor-values.ts';
import { anyJson, type GatewayContext, nameParam, type Routes } from '../gateway-context.ts';
import { callHeaders, shownMessage } from './open-inference.ts';

const requests = 'prediction-requests';
const tags = ['predictions'];
const json = 'application/json; charset=utf-8';

/** `<prediction id>`, or with where its request lies: `<prediction id>-<partition>-<offset>`. */
const handlePattern = '^[0-9a-f]{32}(-[0-9]{1,6}-[0-9]{1,16})?$';

export const asyncPredictions: Routes = (app, context) => {
  app.post<{ Params: { deployment: string } }>(
    '/api/v1/deployments/:deployment/async-predictions',
    {
      config: { access: 'predict' },
      schema: {
        tags,
        summary: 'hands a request in; its outcome is asked for later',
        params: Type.Object({ deployment: nameParam }),
        body: anyJson(
          'Open Inference Protocol v2 infer request: {id?, parameters?, inputs: [{name, shape, datatype, data}]}',
        ),
        response: {
          202: Type.Object({ id: Type.String(), predictionId: Type.String(), status: Type.Literal('in_queue') }),
        },
      },
    },
    async (request, reply) => {
      const { deployment } = request.params;
      await requireDeployment(deployment, context);
      const { predictionId, partition, offset } = await handIn(request, deployment, context);
      const id = `${predictionId}-${partition}-${offset}`;
      reply.header('location', `/api/v1/predictions/${id}`).header('retry-after', '1');
      return await reply.code(202).send({ id, predictionId, status: 'in_queue' });
    },
  );

  app.get<{ Params: { id: string } }>(
    '/api/v1/predictions/:id',
    {
      config: { access: 'read' },
      schema: {
        tags,
        summary: 'where a prediction stands, and its answer as long as the log has it',
        params: Type.Object({ id: Type.String({ pattern: handlePattern }) }),
      },
    },
    async ({ params: { id } }, reply) => {
      const shown = await showPrediction(id, context);
      if (shown.status === 'in_queue') reply.header('retry-after', '1');
      return await reply.type(json).send(plainJson(shown));
    },
  );
};

async function requireDeployment(deployment: string, { tables }: GatewayContext): Promise<void> {
  if (tables.deployments.get(deployment) !== undefined) return;
  await tables.deployments.refresh();
  if (tables.deployments.get(deployment) === undefined)
    throw new MillraceError(
      'NOT_FOUND',
      `there is no deployment '${deployment}'; \`millrace deployments list\` shows them`,
    );
}

async function handIn(
  request: FastifyRequest,
  deployment: string,
  { options: { runtime } }: GatewayContext,
): Promise<{ predictionId: string; partition: number; offset: number }> {
  const { body } = request;
  if (typeof body !== 'object' || body === null || !Array.isArray((body as { inputs?: unknown }).inputs)) {
    throw new MillraceError(
      'INVALID_ARGUMENT',
      'the body must be an infer request: {"inputs": [{name, shape, datatype, data}]}',
    );
  }
  const given = (body as { id?: unknown }).id;
  const clientId = typeof given === 'string' && given !== '' ? given : runtime.parts.ids.next();
  const { entity = clientId, deadline, versionMin, route, eventTime } = callHeaders(request);
  const named = {
    'millrace-deployment': deployment,
    'millrace-deadline': deadline,
    'millrace-deployment-version': versionMin,
    'millrace-route': route,
    'millrace-event-time': eventTime,
  };
  const headers = Object.entries(named).flatMap(([name, text]) =>
    text === undefined ? [] : [[name, Buffer.from(text)] as const],
  );
  const partition = partitionOf(entity, runtime.partitions(requests));
  const [offset = 0] = await runtime.parts.log.append([
    {
      topic: runtime.topic(requests),
      partition,
      key: Buffer.from(entity),
      value: Buffer.from(JSON.stringify({ ...body, id: clientId })),
      headers: Object.fromEntries(headers),
    },
  ]);
  const id = predictionIdOfClient({ deployment, entity, clientId, source: '' }, runtime.partitions('predictions'));
  return { predictionId: id, partition, offset };
}

async function showPrediction(id: string, context: GatewayContext): Promise<ShownPrediction> {
  const [named = '', partition, offset] = id.split('-');
  const { queries } = context.options;
  const place =
    (await queries.placeOfPrediction(named)) ??
    (partition === undefined ? undefined : await queries.placeOfPrediction(unreadableId(named, partition, offset)));
  if (place !== undefined) {
    const outcome = await outcomeAt(place, { id, predictionId: named }, context);
    if (outcome !== undefined) return outcome;
    throw new MillraceError('NOT_FOUND', `the outcome of prediction ${named} is not kept any more`);
  }
  const submittedAt =
    partition === undefined ? undefined : await timeOfRequest(Number(partition), Number(offset), context);
  if (submittedAt !== undefined) return { id, predictionId: named, status: 'in_queue', submittedAt };
  throw new MillraceError('NOT_FOUND', `no prediction '${id}' is known`);
}

/** A request that made no sense has an id by where it lies, because nobody could read its own. */
function unreadableId(readable: string, partition: string, offset = ''): string {
  return predictionId(Number.parseInt(readable.slice(0, 4), 16), `${requests}@${partition}@${offset}`);
}

async function outcomeAt(
  { partition, offset }: { readonly partition: number; readonly offset: number },
  about: { readonly id: string; readonly predictionId: string },
  { options: { runtime } }: GatewayContext,
): Promise<CompletedPrediction | FailedPrediction | undefined> {
  const from = { topic: runtime.topic('predictions'), partition };
  for await (const records of runtime.parts.log.read(from, { from: offset, to: offset + 1 })) {
    for (const record of records) {
      if (record.offset !== offset) continue;
      const event = await runtime.decode('predictions', record);
      const completedAt = record.timestampMs;
      if (event.type === 'prediction-completed')
        return {
          ...about,
          status: 'completed',
          completedAt,
          stages: stagesOf(event.data, completedAt),
          result: resultOf(event.data),
        };
      if (event.type === 'prediction-failed') {
        const { code, message } = event.data;
        return { ...about, status: 'failed', completedAt, error: { code, message: shownMessage(code, message) } };
      }
    }
  }
  return undefined;
}

/** Everything that is neither waiting nor running comes down to getting the outcome onto the log. */
function stagesOf({ receivedAt, queueMs, runMs }: PredictionCompleted, at: number): CompletedPrediction['stages'] {
  return { queueMs, runMs, publishMs: Math.max(0, at - receivedAt - queueMs - runMs) };
}

function resultOf({
  predictionId,
  deployment,
  deploymentVersion,
  clientId,
  route,
  model,
  modelVersion,
  outputs,
}: PredictionCompleted): CompletedPrediction['result'] {
  return {
    model_name: deployment,
    model_version: String(deploymentVersion),
    ...(clientId === null ? {} : { id: clientId }),
    parameters: { prediction_id: predictionId, route, model, model_version: modelVersion },
    outputs: outputs.map((tensor) => {
      const { name, datatype, shape } = tensor;
      return { name, datatype, shape, data: tensorValues(tensor) };
    }),
  };
}

/** When the request was appended; undefined when nothing lies there. */
async function timeOfRequest(
  partition: number,
  offset: number,
  { options: { runtime } }: GatewayContext,
): Promise<number | undefined> {
  const ends = await runtime.parts.log.endOffsets(runtime.topic(requests));
  if (!(offset < (ends[partition] ?? 0))) return undefined;
  const from = { topic: runtime.topic(requests), partition };
  for await (const records of runtime.parts.log.read(from, { from: offset, to: offset + 1 })) {
    const record = records.find((one) => one.offset === offset);
    if (record !== undefined) return record.timestampMs;
  }
  return undefined;
}

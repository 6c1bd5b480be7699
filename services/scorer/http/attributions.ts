/** Explanations over HTTP: asked for, and those that are there. */
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { Runtime } from '../../../runtime/engine/runtime.ts';
import { type ErrorCode, errorCodes, MillraceError } from '../../../runtime/ports/errors.ts';
import type { Attribution } from '../../../schemas/api/attributions.ts';
import { plainJson } from '../../../schemas/codec/plain-json.ts';
import { askedMethods, attributionIdOf } from '../../../schemas/explainers.ts';
import type { ExtensionParts } from '../../gateway/extension.ts';
import { predictionAt } from '../attributions/prediction-at.ts';

const json = 'application/json; charset=utf-8';

/** Where predictions and their explanations lie on the log. */
export interface AttributionPlaces {
  placeOfPrediction(id: string): Promise<{ partition: number; offset: number } | undefined>;
  placesOfAttributions(predictionId: string): Promise<readonly { id: string; partition: number; offset: number }[]>;
}

interface AskBody {
  readonly method?: string;
  readonly row?: number;
  readonly output?: string;
  readonly target?: number;
}

const tags = ['predictions'];
const params = Type.Object({ id: Type.String({ pattern: '^[0-9a-f]{32}$' }) });
const body = Type.Object(
  {
    method: Type.Optional(
      Type.Enum([...askedMethods], { description: 'auto: tree-shap of a tree ensemble, else kernel-shap' }),
    ),
    row: Type.Optional(Type.Integer({ minimum: 0, description: 'of the prediction; default 0' })),
    output: Type.Optional(
      Type.String({ minLength: 1, maxLength: 256, description: 'column of the answer, such as probabilities[1]' }),
    ),
    target: Type.Optional(Type.Number({ description: 'of a counterfactual: what the output shall reach' })),
  },
  { additionalProperties: false },
);

export const attributionRoutes =
  (runtime: Runtime, places: AttributionPlaces) =>
  (app: FastifyInstance, { operations, decisions }: ExtensionParts): void => {
    const sourceOf = async (id: string) => {
      const place = await places.placeOfPrediction(id);
      if (place !== undefined) return { topic: 'predictions', partition: place.partition, offset: place.offset };
      throw new MillraceError('NOT_FOUND', `there is no prediction '${id}'`);
    };

    app.post<{ Params: { id: string }; Body: AskBody | undefined }>(
      '/api/v1/predictions/:id/attributions',
      {
        config: { access: 'write', action: 'prediction.attribute' },
        schema: { tags, params, body, summary: 'why a prediction came out as it did' },
      },
      async (request, reply) => {
        const operation = operations.begin(request);
        const predictionId = request.params.id;
        const source = await sourceOf(predictionId);
        const { deployment, deploymentVersion } = await predictionAt(runtime, { predictionId, source });
        const { method = 'auto', row = 0, output = '', target = null } = request.body ?? {};
        const question = { predictionId, row, method, output, target };
        const attributionId = attributionIdOf(question);
        const known = (await places.placesOfAttributions(predictionId)).find(({ id }) => id === attributionId);
        const stored = known === undefined ? undefined : await attributionAt(runtime, known);
        if (stored?.type === 'computed') return await reply.type(json).send(plainJson(stored));
        if (stored !== undefined) throw new MillraceError(codeOf(stored.code), stored.reason);
        const data = {
          attributionId,
          deployment,
          deploymentVersion,
          ...question,
          source,
          share: 0,
          actor: operation.actor,
        };
        const computed = await decisions.ask('attribution-computed', predictionId, attributionId, () =>
          operations.publish(
            request,
            operation,
            predictionId,
            [{ topic: 'attributions', type: 'attribution-requested', key: deployment, id: attributionId, data }],
            { attributionId, method },
          ),
        );
        return await reply.type(json).send(plainJson({ type: 'computed', ...computed }));
      },
    );

    app.get<{ Params: { id: string } }>(
      '/api/v1/predictions/:id/attributions',
      { config: { access: 'read' }, schema: { tags, params, summary: 'explanations that were computed, or refused' } },
      async ({ params: { id } }, reply) => {
        await sourceOf(id);
        const attributions: Attribution[] = [];
        for (const place of await places.placesOfAttributions(id)) {
          const found = await attributionAt(runtime, place);
          if (found !== undefined) attributions.push(found);
        }
        return await reply.type(json).send(plainJson({ predictionId: id, attributions }));
      },
    );
  };

const codeOf = (text: string): ErrorCode => (Object.hasOwn(errorCodes, text) ? (text as ErrorCode) : 'INTERNAL');

/** undefined when it is not on the log any more. */
async function attributionAt(
  runtime: Runtime,
  { partition, offset }: { readonly partition: number; readonly offset: number },
): Promise<Attribution | undefined> {
  const from = { topic: runtime.topic('attributions'), partition };
  for await (const records of runtime.parts.log.read(from, { from: offset, to: offset + 1 })) {
    for (const record of records) {
      if (record.offset !== offset) continue;
      const event = await runtime.decode('attributions', record);
      if (event.type === 'attribution-computed') return { type: 'computed', ...event.data };
      if (event.type === 'attribution-refused') return { type: 'refused', ...event.data };
    }
  }
  return undefined;
}

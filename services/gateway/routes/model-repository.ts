/**
 * Model repository extension of the Open Inference Protocol. What is deployed is said on the log; loading and unloading are about the memory
 * of this process alone: a deployment that is not in memory is loaded by its next request.
 */
import { Type } from 'typebox';
import { MillraceError } from '../../../runtime/ports/index.ts';
import { acceptBinaryBodies } from '../infer-body.ts';
import { nameParam, type GatewayContext, type Routes } from '../gateway-context.ts';
import { inferenceOf } from './open-inference.ts';

const tags = ['Open Inference Protocol v2'];
const params = Type.Object({ model: nameParam });
interface Named {
  readonly Params: { readonly model: string };
}

export const modelRepository: Routes = (app, context) => {
  app.register((scope, _, done) => {
    // Clients of Triton send JSON without saying so.
    acceptBinaryBodies(scope);
    addRoutes(scope, context);
    done();
  });
};

const addRoutes: Routes = (app, context) => {
  app.post<{ Body: { ready?: boolean } | null }>(
    '/v2/repository/index',
    {
      config: { access: 'read' },
      schema: {
        summary: 'models in the memory of this process, and what stands in their way',
        tags,
        body: Type.Union([Type.Object({ ready: Type.Optional(Type.Boolean()) }), Type.Null()]),
      },
      preValidation: (request, _, done) => {
        request.body ??= null;
        done();
      },
    },
    async ({ body }) => repositoryIndex(context, body?.ready === true),
  );
  app.post<Named>(
    '/v2/repository/models/:model/load',
    {
      config: { access: 'write', action: 'model.load' },
      schema: { summary: 'load the models of a deployment', tags, params },
    },
    async (request) => {
      const { model } = request.params;
      checkDeployed(context, model);
      await context.operations.publish(request, context.operations.begin(request), model, []);
      await inferenceOf(context).warm(model);
      return {};
    },
  );
  app.post<Named>(
    '/v2/repository/models/:model/unload',
    {
      config: { access: 'write', action: 'model.unload' },
      schema: { summary: 'forget the models of a deployment until the next request', tags, params },
    },
    async (request) => {
      const { model } = request.params;
      checkDeployed(context, model);
      await context.operations.publish(request, context.operations.begin(request), model, []);
      await inferenceOf(context).unload(model);
      return {};
    },
  );
};

export interface IndexEntry {
  readonly name: string;
  readonly version: string;
  readonly state: 'READY' | 'UNAVAILABLE';
  readonly reason: string;
}

export function repositoryIndex(context: Pick<GatewayContext, 'options'>, readyOnly: boolean): readonly IndexEntry[] {
  return inferenceOf(context)
    .repository()
    .filter(({ loaded }) => loaded || !readyOnly)
    .map(
      ({ name, version, loaded, reason }): IndexEntry => ({
        name,
        version: String(version),
        state: loaded ? 'READY' : 'UNAVAILABLE',
        reason: loaded ? '' : (reason ?? 'not in memory: the next request loads it'),
      }),
    )
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function checkDeployed(context: GatewayContext, model: string): void {
  if (
    inferenceOf(context)
      .deployments()
      .some(({ name }) => name === model)
  )
    return;
  throw new MillraceError('NOT_FOUND', `there is no deployment '${model}'`);
}

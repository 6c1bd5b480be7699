/** MLflow's REST API: for unmodified clients of 2.x and 3.x, and for its UI's paths. */
import type { FastifyInstance } from 'fastify';
import type { Tracking } from '../tracking.ts';
import { artifactBytes, artifacts } from './artifacts.ts';
import { roomOf } from './calls.ts';
import { answerErrors } from './errors.ts';
import { experiments } from './experiments.ts';
import { imports } from './imports.ts';
import { inputs } from './inputs.ts';
import { loggedModels } from './logged-models.ts';
import type { ExtensionParts } from '../../gateway/extension.ts';
import { modelVersions, registeredModels } from './registry.ts';
import { registryHistory } from './registry-history.ts';
import { runs } from './runs.ts';
import { values } from './values.ts';
import { webhooks } from './webhooks.ts';

/** The version of MLflow whose protocol this is; clients compare it with their own. */
const protocolVersion = '3.11.0';
const prefixes = ['/api/2.0', '/ajax-api/2.0', '/api/3.0', '/ajax-api/3.0'];

export function mlflowRoutes(app: FastifyInstance, tracking: Tracking, gateway: ExtensionParts): void {
  app.get('/health', { config: { access: 'public' }, schema: { hide: true } }, async (_, reply) => {
    return await reply.type('text/plain').send('OK');
  });
  app.get('/version', { config: { access: 'public' }, schema: { hide: true } }, async (_, reply) => {
    return await reply.type('text/plain').send(protocolVersion);
  });
  app.register(async (scope) => {
    const room = roomOf(scope, tracking, gateway);
    imports(room);
    registryHistory(room);
  });
  for (const prefix of prefixes) {
    app.register(
      async (scope) => {
        answerErrors(scope, gateway);
        scope.addHook('preHandler', async () => await ensureDefault(tracking, gateway));
        const room = roomOf(scope, tracking, gateway);
        for (const part of [
          experiments,
          runs,
          values,
          inputs,
          loggedModels,
          artifacts,
          registeredModels,
          modelVersions,
          webhooks,
        ]) {
          part(room);
        }
        await scope.register(async (bytes) => artifactBytes(bytes, tracking, gateway));
      },
      { prefix },
    );
  }
}

const made = new WeakMap<Tracking, Promise<unknown>>();

/** Experiment 0, "Default", is there for whoever names none. Asking again is a repeat, and changes nothing. */
async function ensureDefault(tracking: Tracking, { decisions }: ExtensionParts): Promise<void> {
  const known = made.get(tracking);
  if (known !== undefined) {
    await known;
    return;
  }
  const data = {
    experimentId: '0',
    requestId: 'default',
    name: 'Default',
    artifactLocation: 'mlflow-artifacts:/0',
    tags: {},
    actor: 'millrace',
  };
  const asked = decisions.ask('experiment-created', '0', 'default', async () => {
    const id = 'experiment-default';
    await tracking.runtime.publish([{ topic: 'experiments', type: 'experiment-requested', data, key: '0', id }]);
  });
  made.set(tracking, asked);
  asked.catch(() => made.delete(tracking));
  await asked;
}

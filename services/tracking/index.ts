import type { FastifyInstance } from 'fastify';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { OpenQueryStore } from '../../runtime/profiles/open-query-store.ts';
import type { ExtensionParts } from '../gateway/extension.ts';
import { mlflowRoutes } from './http/routes.ts';
import { tracking } from './projection.ts';
import { Tracking } from './tracking.ts';

export interface TrackingService {
  /** Routes for the gateway. */
  routes(app: FastifyInstance, gateway: ExtensionParts): void;
  /** Resolves when the tables have caught up. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** Opens the tables of tracked runs and keeps them in step with the log. Its topics are kept for ever, so it says no positions. */
export async function startTracking(runtime: Runtime, open: OpenQueryStore): Promise<TrackingService> {
  const store = await open(tracking);
  try {
    const projection = await runtime.runProjection(tracking, store);
    const service = new Tracking(runtime, store, projection);
    return {
      routes: (app, gateway) => mlflowRoutes(app, service, gateway),
      ready: () => projection.ready(),
      close: async () => {
        await projection.close();
        await store.close();
      },
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

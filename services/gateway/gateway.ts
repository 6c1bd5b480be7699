/**
 * The gateway: everything that is asked over HTTP. Open Inference Protocol under `/v2`, the platform under `/api/v1` (described by
 * `/api/v1/openapi.json`), probes and metrics. Loopback only unless a token is configured.
 */
import swagger from '@fastify/swagger';
import { type FastifyInstance, fastify } from 'fastify';
import { acceptCloudEvents } from './cloud-events.ts';
import { compileOnFirstCall } from './compile-on-first-call.ts';
import { Decisions } from './decisions.ts';
import { answerErrors } from './error-answers.ts';
import { EventStreams } from './event-streams.ts';
import type { GatewayContext, Routes } from './gateway-context.ts';
import type { GrpcServer } from './grpc/grpc-server.ts';
import { lastAnswers } from './drain.ts';
import { type GatewayOptions, type ResolvedOptions, resolveOptions } from './gateway-options.ts';
import { measureCalls } from './http-metrics.ts';
import { listen } from './listen.ts';
import { Operations } from './operations.ts';
import { artifacts } from './routes/artifacts.ts';
import { asyncPredictions } from './routes/async-predictions.ts';
import { cards } from './routes/cards.ts';
import { deployments } from './routes/deployments.ts';
import { feedback } from './routes/feedback.ts';
import { flowControl } from './routes/flow-control.ts';
import { flows } from './routes/flows.ts';
import { history } from './routes/history.ts';
import { invocations } from './routes/invocations.ts';
import { maintenance } from './routes/maintenance.ts';
import { root } from './routes/root.ts';
import { modelRepository } from './routes/model-repository.ts';
import { models } from './routes/models.ts';
import { openInference } from './routes/open-inference.ts';
import { probes } from './routes/probes.ts';
import { resume } from './routes/resume.ts';
import { rollouts } from './routes/rollouts.ts';
import { runOutput } from './routes/run-output.ts';
import { taskWork } from './routes/task-work.ts';
import { runs } from './routes/runs.ts';
import { seldonV1 } from './routes/seldon-v1.ts';
import { topics } from './routes/topics.ts';
import { triggers } from './routes/triggers.ts';
import { authorize, type DeclaredRoute } from './security/authorization.ts';
import { checkHostAndOrigin } from './security/host-and-origin.ts';
import { checkListenAddress } from './security/listen-policy.ts';
import { openTables } from './tables.ts';

export type { GatewayOptions } from './gateway-options.ts';

/** One file of `routes/` each. */
const allRoutes: readonly Routes[] = [
  probes,
  openInference,
  modelRepository,
  invocations,
  seldonV1,
  asyncPredictions,
  triggers,
  feedback,
  deployments,
  rollouts,
  models,
  flows,
  flowControl,
  runs,
  resume,
  runOutput,
  taskWork,
  cards,
  artifacts,
  history,
  maintenance,
  root,
  topics,
];

export interface Gateway {
  /** For tests: `inject` calls without a socket. */
  readonly app: FastifyInstance;
  /** Every route with what it declares. */
  routes(): readonly DeclaredRoute[];
  /** Resolves with the address once connections are accepted. INVALID_CONFIGURATION for an address that needs a token. */
  listen(): Promise<{
    readonly url: string;
    /** host:port of gRPC; absent when it is not served. */
    readonly grpc?: string;
  }>;
  /** Answers what is under way, then closes. Idempotent. */
  close(): Promise<void>;
}

export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const resolved = resolveOptions(options);
  checkListenAddress(resolved.host, resolved.token);
  const context: Omit<GatewayContext, 'streams'> = {
    options: resolved,
    operations: new Operations(resolved.runtime, resolved.actor),
    decisions: await Decisions.open(resolved.runtime, resolved.decisionTimeoutMs),
    tables: await openTables(resolved.runtime),
  };
  const routes: DeclaredRoute[] = [];
  const app = await buildApp(context, (route) => routes.push(route));
  let closed: Promise<void> | undefined;
  let grpc: GrpcServer | undefined;
  return {
    app,
    routes: () => routes,
    listen: async () => {
      const url = await listen(app, resolved.host, resolved.port);
      if (resolved.grpcPort === undefined) return { url };
      const { startGrpcServer } = await import('./grpc/grpc-server.ts');
      grpc = await startGrpcServer(context, app, resolved.grpcPort);
      return { url, grpc: grpc.address };
    },
    close: () => {
      closed ??= closeAll(app, context, grpc);
      return closed;
    },
  };
}

async function buildApp(
  parts: Omit<GatewayContext, 'streams'>,
  declared: (route: DeclaredRoute) => void,
): Promise<FastifyInstance> {
  const { options } = parts;
  const app = createServer(options);
  const context: GatewayContext = { ...parts, streams: new EventStreams(app, options.streamsMax) };
  measureCalls(app, options.metrics);
  checkHostAndOrigin(app, options.hosts);
  authorize(app, options.token, declared);
  answerErrors(app, (request, { code, message }) => context.operations.refused(request, code, message));
  acceptCloudEvents(app);
  app.addContentTypeParser(['application/yaml', 'text/yaml'], { parseAs: 'string' }, (_, body, done) =>
    done(null, body),
  );
  await app.register(swagger, {
    openapi: {
      info: {
        title: 'Millrace',
        version: options.version,
        description:
          'Every call that changes something has an actor (header x-millrace-actor) and leaves an operation.',
      },
    },
  });
  for (const routes of allRoutes) routes(app, context);
  for (const extension of options.extensions) extension(app, context);
  app.get('/api/v1/openapi.json', { config: { access: 'read' }, schema: { hide: true } }, async () => app.swagger());
  await app.ready();
  return app;
}

function createServer(options: ResolvedOptions): FastifyInstance {
  const { runtime, bodyBytesMax, requestTimeoutMs, connectionsMax } = options;
  const app = fastify({
    logger: false,
    bodyLimit: bodyBytesMax,
    requestTimeout: requestTimeoutMs,
    connectionTimeout: 0,
    // A machine that is busy starts slowly: whoever waits for /readyz decides how long is too long.
    pluginTimeout: 0,
    keepAliveTimeout: 72_000,
    routerOptions: { maxParamLength: 128 },
    http: { maxHeaderSize: 16 * 1024 },
    genReqId: callIds(runtime.parts.ids.next()),
    return503OnClosing: true,
    forceCloseConnections: 'idle',
  });
  app.server.maxConnections = connectionsMax;
  compileOnFirstCall(app);
  const saysLast = lastAnswers(app);
  app.addHook('preClose', (done) => {
    saysLast();
    done();
  });
  return app;
}

/** Unique over processes by their first half; drawing a random id for each call would cost more than most calls. */
function callIds(incarnation: string): () => string {
  let calls = 0;
  return () => {
    calls += 1;
    return `${incarnation.slice(0, 20)}${calls.toString(16).padStart(12, '0')}`;
  };
}

async function closeAll(
  app: FastifyInstance,
  { decisions, tables }: Omit<GatewayContext, 'streams'>,
  grpc: GrpcServer | undefined,
): Promise<void> {
  await grpc?.close();
  await app.close();
  await decisions.close();
  await tables.close();
}

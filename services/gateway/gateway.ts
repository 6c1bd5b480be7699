/**
 * The gateway: everything that is asked over HTTP. Open Inference Protocol under `/v2`, the platform under `/api/v1` (described by
 * `/api/v1/openapi.json`), probes and metrics. Loopback only unless a token is configured.
 */
import { type FastifyInstance, fastify } from 'fastify';
import { acceptCloudEvents } from './cloud-events.ts';
import { limitBodies } from './body-timeouts.ts';
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
import { describeRoutes } from './openapi.ts';
import { Operations } from './operations.ts';
import { PrefixAliases } from './prefix-aliases.ts';
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
import { unusedConnections } from './unused-connections.ts';
import { authorize, type DeclaredRoute } from './security/authorization.ts';
import { checkHostAndOrigin } from './security/host-and-origin.ts';
import { checkListenAddress } from './security/listen-policy.ts';
import { sealer } from './security/seal.ts';
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
  /** How many wait here for the end of a run. */
  followers(): number;
  /** Answers what is under way, then closes. Idempotent. */
  close(): Promise<void>;
}

export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const resolved = resolveOptions(options);
  checkListenAddress(resolved.host, resolved.token);
  const context: GatewayParts = {
    options: resolved,
    operations: new Operations(resolved.runtime, resolved.actor),
    decisions: await Decisions.open(resolved.runtime, resolved.decisionTimeoutMs),
    tables: await openTables(resolved.runtime),
    seal: sealer(resolved.token ?? ''),
  };
  const routes: DeclaredRoute[] = [];
  const { app, streams } = await buildApp(context, (route) => routes.push(route));
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
    followers: () => streams.ofRuns,
    close: () => {
      closed ??= closeAll(app, context, grpc);
      return closed;
    },
  };
}

/** What is there before the server. */
type GatewayParts = Omit<GatewayContext, 'streams' | 'aliases'>;

async function buildApp(
  parts: GatewayParts,
  declared: (route: DeclaredRoute) => void,
): Promise<{ readonly app: FastifyInstance; readonly streams: EventStreams }> {
  const { options } = parts;
  const aliases = new PrefixAliases();
  const app = createServer(options, aliases);
  const streams = new EventStreams(app, options.streamsMax);
  const context: GatewayContext = { ...parts, aliases, streams };
  measureCalls(app, options.metrics);
  checkHostAndOrigin(app, options.hosts, options.token);
  authorize(app, options.token, () => options.runtime.parts.clock.now(), declared);
  answerErrors(app, (request, { code, message }) => context.operations.refused(request, code, message));
  acceptCloudEvents(app);
  app.addContentTypeParser(['application/yaml', 'text/yaml'], { parseAs: 'string' }, (_, body, done) =>
    done(null, body),
  );
  const openapi = describeRoutes(app, options.version);
  for (const routes of allRoutes) routes(app, context);
  for (const extension of options.extensions) extension(app, context);
  app.get('/api/v1/openapi.json', { config: { access: 'read' }, schema: { hide: true } }, openapi);
  await app.ready();
  return { app, streams };
}

function createServer(options: ResolvedOptions, aliases: PrefixAliases): FastifyInstance {
  const { runtime, bodyBytesMax, requestTimeoutMs, connectionsMax } = options;
  const app = fastify({
    logger: false,
    bodyLimit: bodyBytesMax,
    connectionTimeout: 0,
    // A machine that is busy starts slowly: whoever waits for /readyz decides how long is too long.
    pluginTimeout: 0,
    keepAliveTimeout: 72_000,
    // Names have 255 characters at most, each of which may be three in a URL.
    routerOptions: { maxParamLength: 765 },
    rewriteUrl: ({ url = '/' }) => aliases.resolve(url),
    http: { maxHeaderSize: 16 * 1024, headersTimeout: requestTimeoutMs, requestTimeout: 0 },
    genReqId: callIds(runtime.parts.ids.next()),
    return503OnClosing: true,
    forceCloseConnections: 'idle',
  });
  app.server.maxConnections = connectionsMax;
  compileOnFirstCall(app);
  limitBodies(app, requestTimeoutMs);
  const saysLast = lastAnswers(app);
  const endUnused = unusedConnections(app.server);
  app.addHook('preClose', (done) => {
    saysLast();
    endUnused();
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
  { decisions, tables }: GatewayParts,
  grpc: GrpcServer | undefined,
): Promise<void> {
  await grpc?.close();
  await app.close();
  await decisions.close();
  await tables.close();
}

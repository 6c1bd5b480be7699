import type { FastifyInstance } from 'fastify';
import { Histogram, type Registry } from 'prom-client';

const latencySeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Calls by route (the pattern, never the path), method and status. */
export function measureCalls(app: FastifyInstance, registry: Registry): void {
  const durations = new Histogram({
    name: 'millrace_http_request_duration_seconds',
    help: 'From the headers of a call to the end of its answer.',
    labelNames: ['route', 'method', 'status'],
    buckets: latencySeconds,
    registers: [registry],
  });
  const known = new Map<string, Histogram.Internal<string>>();
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    const { method } = request;
    const key = `${method} ${route} ${reply.statusCode}`;
    let histogram = known.get(key);
    if (histogram === undefined) {
      histogram = durations.labels({ route, method, status: String(reply.statusCode) });
      known.set(key, histogram);
    }
    histogram.observe(reply.elapsedTime / 1_000);
    done();
  });
}

/** How long a body may be on its way: small ones in all, large ones from one byte to the next, however slow the line is. */
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** `large`: a file, which may take hours; only a line that is silent is given up. @default 'small' */
    body?: 'small' | 'large';
  }
}

interface OpenBody {
  readonly large: boolean;
  /** Sweeps since it began, or since a large one had more. Sweeps and not milliseconds: a process that stood still has heard nothing. */
  sweeps: number;
  /** That the line had brought when it was seen last. */
  bytes: number;
}

const sweepsPerTimeout = 4;
const answer = 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

/** `timeoutMs` and up to a quarter more: of a small body from its headers to its end, of a large one without a byte. */
export function limitBodies(app: FastifyInstance, timeoutMs: number): void {
  // One sweep for all instead of a timer for each call.
  const open = new Map<IncomingMessage, OpenBody>();
  const sweep = setInterval(() => {
    for (const [request, body] of open) {
      const { bytesRead } = request.socket;
      const more = body.large && bytesRead > body.bytes;
      body.bytes = bytesRead;
      body.sweeps = more ? 0 : body.sweeps + 1;
      if (request.complete || request.destroyed) open.delete(request);
      else if (body.sweeps > sweepsPerTimeout) {
        open.delete(request);
        request.socket.end(answer, () => request.socket.destroy());
      }
    }
  }, timeoutMs / sweepsPerTimeout).unref();
  app.addHook('onClose', (_, done) => {
    clearInterval(sweep);
    done();
  });
  app.addHook('onRequest', ({ raw, routeOptions }, _, done) => {
    if (raw.headers['content-length'] !== undefined || raw.headers['transfer-encoding'] !== undefined) {
      const large = routeOptions.config.body === 'large';
      open.set(raw, { large, sweeps: 0, bytes: 0 });
    }
    done();
  });
  // Large ones are read by their routes.
  app.addHook('preValidation', (request, _, done) => {
    if (request.routeOptions.config.body !== 'large') open.delete(request.raw);
    done();
  });
  app.addHook('onResponse', (request, _, done) => {
    open.delete(request.raw);
    done();
  });
}

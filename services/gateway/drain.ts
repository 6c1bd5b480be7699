import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';

/**
 * For the end of the server: the answers under way say that they are the last of their connections. Else a client that keeps its
 * connection would hold up the end until it is idle for too long, or send a request to a server that is gone.
 */
export function lastAnswers(app: FastifyInstance): () => void {
  const underWay = new Set<ServerResponse>();
  app.server.on('request', (_, response: ServerResponse) => {
    underWay.add(response);
    response.once('close', () => underWay.delete(response));
  });
  return () => {
    for (const response of underWay) if (!response.headersSent) response.setHeader('connection', 'close');
  };
}

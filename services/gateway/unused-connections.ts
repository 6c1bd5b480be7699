import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Answers what ends the connections on which nothing came yet. A server that closes ends the idle ones by itself, but only those that had a
 * request; for one that a client opened ahead, or whose request it gave up, it would wait until the client goes.
 */
export function unusedConnections(server: Server): () => void {
  const unused = new Set<Socket>();
  server.on('connection', (socket) => {
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
  });
  server.on('request', ({ socket }) => unused.delete(socket));
  return () => {
    for (const socket of unused) if (socket.bytesRead === 0) socket.destroy();
  };
}

import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { MillraceError } from '../../runtime/ports/index.ts';

/** Resolves with the address once connections are accepted. UNAVAILABLE when another process has the port. */
export async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    const message = `another process listens on ${host}:${port}: stop it, or set http.port (0 takes a free one)`;
    throw new MillraceError('UNAVAILABLE', message, { cause, details: { host, port } });
  }
  const { address, port: taken, family } = app.server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${taken}`;
}

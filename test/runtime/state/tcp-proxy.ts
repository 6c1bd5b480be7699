import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP proxy in front of one server, that can lose a request or an answer. */
export interface TcpProxy {
  readonly port: number;
  /** The next request that holds `marker` is not passed on ('before'), or its answer is not ('after'); its connection is dropped. */
  loseNext(marker: string, when: 'before' | 'after'): void;
  /** Requests that were lost so far. */
  lost(): number;
  close(): Promise<void>;
}

export async function createTcpProxy(target: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let armed: { readonly marker: string; readonly when: 'before' | 'after' } | undefined;
  let lost = 0;
  const server = createServer((client) => {
    const upstream = connect(target);
    let losing = false;
    const drop = (): void => {
      lost += 1;
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (chunk: Buffer) => {
      if (armed !== undefined && chunk.includes(armed.marker)) {
        const { when } = armed;
        armed = undefined;
        if (when === 'before') return drop();
        losing = true;
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk: Buffer) => {
      if (losing) return drop();
      client.write(chunk);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    loseNext: (marker, when) => {
      armed = { marker, when };
    },
    lost: () => lost,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

import { createServer, connect, type AddressInfo, type Socket } from 'node:net';

/** Passes connections on until it is cut; then none is accepted and those that were are reset. */
export class TcpProxy {
  readonly #sockets = new Set<Socket>();
  #cut = false;
  readonly #server;

  constructor(port: number) {
    this.#server = createServer((from) => {
      if (this.#cut) return void from.destroy();
      const to = connect(port, '127.0.0.1');
      for (const socket of [from, to]) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.once('close', () => {
          this.#sockets.delete(socket);
          from.destroy();
          to.destroy();
        });
      }
      from.pipe(to);
      to.pipe(from);
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  cut(): void {
    this.#cut = true;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  mend(): void {
    this.#cut = false;
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}

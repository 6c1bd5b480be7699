import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Numbers of Kafka's requests. */
export const produceApi = 0;

/** Sees one request; its answer is passed on unless this says otherwise. */
export type AnswerRule = (request: { readonly api: number; readonly sequence: number }) => 'pass' | 'swallow';

/**
 * A proxy in front of a Kafka listener that knows the frames of requests and answers. "Swallow" passes the request to the broker, and closes
 * the connection in place of its answer: the client cannot know what became of it.
 */
export class TcpProxy {
  /** Requests that were passed on, by number of their API. */
  readonly counts = new Map<number, number>();
  swallowed = 0;
  readonly #server: Server;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #sockets = new Set<Socket>();
  #rule: AnswerRule = () => 'pass';

  private constructor(target: string) {
    const [host = '', port = ''] = target.split(':');
    this.#target = { host, port: Number(port) };
    this.#server = createServer((client) => this.#join(client));
  }

  /** Listens on `listen` (port 0: any) and passes on to `target`, both `host:port`. */
  static async start(listen: string, target: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    const [host = '', port = ''] = listen.split(':');
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject);
      proxy.#server.listen(Number(port), host, resolve);
    });
    return proxy;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  answer(rule: AnswerRule): void {
    this.#rule = rule;
  }

  /** Breaks every connection; new ones are accepted. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.dropConnections();
    await closed;
  }

  #join(client: Socket): void {
    const broker = connect(this.#target);
    const doomed = new Set<number>();
    for (const socket of [client, broker]) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        client.destroy();
        broker.destroy();
      });
    }
    const requests = new Frames((frame) => {
      const api = frame.readInt16BE(4);
      const sequence = (this.counts.get(api) ?? 0) + 1;
      this.counts.set(api, sequence);
      if (this.#rule({ api, sequence }) === 'swallow') doomed.add(frame.readInt32BE(8));
      broker.write(frame);
    });
    const answers = new Frames((frame) => {
      if (doomed.has(frame.readInt32BE(4))) {
        this.swallowed++;
        client.destroy();
        broker.destroy();
      } else client.write(frame);
    });
    client.on('data', (chunk: Buffer) => requests.push(chunk));
    broker.on('data', (chunk: Buffer) => answers.push(chunk));
  }
}

/** Cuts a stream into frames of a 4-byte length and so many bytes. */
class Frames {
  #bytes: Buffer = Buffer.alloc(0);
  readonly #each: (frame: Buffer) => void;

  constructor(each: (frame: Buffer) => void) {
    this.#each = each;
  }

  push(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= 4) {
      const end = 4 + this.#bytes.readInt32BE(0);
      if (this.#bytes.length < end) return;
      const frame = this.#bytes.subarray(0, end);
      this.#bytes = this.#bytes.subarray(end);
      this.#each(frame);
    }
  }
}

/** Requests over connections that stay open, as many at once as there are clients. Only what is answered with 200 counts; anything else is an error. */
import { Agent, request } from 'node:http';

export class HttpLoad {
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });

  constructor(url: string) {
    this.#url = url;
  }

  /** A call of MLflow's API. */
  async post(path: string, body: object): Promise<Readonly<Record<string, unknown>>> {
    const payload = Buffer.from(JSON.stringify(body));
    return await new Promise((resolve, reject) => {
      const sent = request(
        `${this.#url}/api/2.0/mlflow/${path}`,
        {
          method: 'POST',
          agent: this.#agent,
          headers: { 'content-type': 'application/json', 'content-length': payload.length },
        },
        (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part));
          response.on('end', () => {
            const text = Buffer.concat(parts).toString('utf8');
            if (response.statusCode === 200) resolve(JSON.parse(text) as Readonly<Record<string, unknown>>);
            else reject(new Error(`${path}: ${response.statusCode} ${text.slice(0, 300)}`));
          });
          response.on('error', reject);
        },
      );
      sent.on('error', (error: NodeJS.ErrnoException) => {
        // The server closed an idle connection at the moment when it was taken again: it has seen nothing.
        if (sent.reusedSocket && error.code === 'ECONNRESET') this.post(path, body).then(resolve, reject);
        else reject(error);
      });
      sent.end(payload);
    });
  }

  /** Requests a second by so many clients, each of which waits for its answer. A tenth of the time before it does not count. */
  async rate(clients: number, seconds: number, call: (client: number) => Promise<void>): Promise<number> {
    let count = 0;
    let counting = false;
    const began = performance.now();
    const fromMs = began + 100 * seconds;
    const endMs = fromMs + 1_000 * seconds;
    let sinceMs = fromMs;
    const one = async (client: number): Promise<void> => {
      while (performance.now() < endMs) {
        await call(client);
        const now = performance.now();
        if (counting) count += 1;
        else if (now >= fromMs) {
          counting = true;
          sinceMs = now;
        }
      }
    };
    await Promise.all(Array.from({ length: clients }, (_, client) => one(client)));
    return (1_000 * count) / (performance.now() - sinceMs);
  }

  /** So many calls in all. */
  async each(clients: number, calls: number, call: (at: number) => Promise<void>): Promise<void> {
    let next = 0;
    const one = async (): Promise<void> => {
      for (let at = next++; at < calls; at = next++) await call(at);
    };
    await Promise.all(Array.from({ length: clients }, one));
  }

  /** Milliseconds of a call, one after the other; the first does not count. */
  async median(calls: number, call: () => Promise<void>): Promise<number> {
    await call();
    const times: number[] = [];
    for (let each = 0; each < calls; each++) {
      const began = performance.now();
      await call();
      times.push(performance.now() - began);
    }
    return times.sort((a, b) => a - b)[times.length >> 1] ?? Number.NaN;
  }

  close(): void {
    this.#agent.destroy();
  }
}

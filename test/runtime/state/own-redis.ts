import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A Redis of the test's own, to be reconfigured, filled, frozen and killed. */
export interface OwnRedis {
  readonly url: string;
  pid(): number;
  /** Starts it again, with the data it had, when it was killed. */
  start(): void;
  stop(): Promise<void>;
}

const script = (name: string): string => fileURLToPath(new URL(`../../services/${name}`, import.meta.url));

export async function startOwnRedis(): Promise<OwnRedis> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-redis-'));
  const port = await freePort();
  const env = { ...process.env, REDIS_PORT: String(port), REDIS_DIR: directory };
  const start = (): void => void execFileSync(script('redis-up.sh'), { env, stdio: 'pipe' });
  start();
  return {
    url: `redis://127.0.0.1:${port}`,
    pid: () => Number(readFileSync(join(directory, 'redis.pid'), 'utf8').split('\n')[0]),
    start,
    stop: async () => {
      execFileSync(script('redis-down.sh'), { env, stdio: 'pipe' });
      await rm(directory, { recursive: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  return address.port;
}

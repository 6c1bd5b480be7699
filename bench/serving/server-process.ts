/** `http-server.ts` as a process of its own. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { moduleForChild } from '../../runtime/adapters/child-module.ts';

export interface ServerProcess {
  readonly url: string;
  /** host:port; the bare server has none. */
  readonly grpc: string;
  readonly pid: number;
  /** User and system time so far. */
  cpuUs(): Promise<number>;
  close(): Promise<void>;
}

interface Said {
  readonly url: string;
  readonly grpc?: string;
  readonly cpuUs: number;
}

export async function startServer(kind: 'gateway' | 'platform' | 'bare'): Promise<ServerProcess> {
  const { url: script, typescript } = moduleForChild('bench/serving/http-server');
  const execArgv = [...(typescript ? ['--import', 'tsx'] : []), '--max-semi-space-size=64'];
  const child = fork(fileURLToPath(script), [kind], { execArgv });
  const ended = new Promise<never>((_, reject) => {
    child.once('exit', (code) => reject(new Error(`the ${kind} server ended with ${code}`)));
  });
  ended.catch(() => undefined);
  const hear = async (): Promise<Said> =>
    await Promise.race([ended, new Promise<Said>((resolve) => child.once('message', (said) => resolve(said as Said)))]);
  const { url, grpc = '' } = await hear();
  return {
    ...{ url, grpc, pid: child.pid ?? 0 },
    cpuUs: async () => {
      child.send('cpu');
      return (await hear()).cpuUs;
    },
    close: async () => {
      child.disconnect();
      await ended.catch(() => undefined);
    },
  };
}

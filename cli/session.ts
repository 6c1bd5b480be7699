import { existsSync } from 'node:fs';
import { resolveConfiguration } from '../runtime/config/resolve.ts';
import type { Configuration } from '../runtime/config/settings.ts';
import { type Client, connect } from '../sdk/client/index.ts';
import type { Platform } from '../services/all-in-one/platform.ts';

/** Options that every command takes. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly set?: readonly string[];
  readonly config?: string;
  readonly directory?: string;
  readonly url?: string;
  readonly actor?: string;
}

export function configurationOf(options: GlobalOptions, forced: Readonly<Record<string, string>> = {}): Configuration {
  const flags: Record<string, string> = {};
  for (const pair of options.set ?? []) {
    const at = pair.indexOf('=');
    flags[at < 0 ? pair : pair.slice(0, at)] = at < 0 ? '' : pair.slice(at + 1);
  }
  if (options.directory !== undefined) flags['directory'] = options.directory;
  if (options.actor !== undefined) flags['actor'] = options.actor;
  const file = options.config ?? (existsSync('millrace.yaml') ? 'millrace.yaml' : undefined);
  return resolveConfiguration({
    flags: { ...flags, ...forced },
    environment: process.env,
    ...(file === undefined ? {} : { file }),
  });
}

export interface Session {
  readonly client: Client;
  readonly url: string;
  readonly configuration: Configuration;
  /** Set when no instance was running and this process opened the directory itself. */
  readonly platform: Platform | undefined;
}

/**
 * Gives a command something to talk to: the address that was asked for, the instance that runs on the directory, or the platform
 * started within this process for as long as the command takes.
 */
export async function withPlatform<T>(options: GlobalOptions, work: (session: Session) => Promise<T>): Promise<T> {
  const configuration = configurationOf(options);
  const token = configuration['http.token'] === '' ? undefined : configuration['http.token'];
  const client = (url: string): Client =>
    connect({ url, token, actor: configuration.actor === '' ? undefined : configuration.actor });
  const running = options.url ?? (await runningInstance(configuration));
  if (running !== undefined)
    return await work({ client: client(running), url: running, configuration, platform: undefined });
  const { startPlatform } = await import('../services/all-in-one/platform.ts');
  const platform = await startPlatform({ configuration: { ...configuration, 'http.port': 0 } });
  try {
    await platform.ready();
    const url = platform.url ?? '';
    return await work({ client: client(url), url, configuration, platform });
  } finally {
    await platform.close();
  }
}

/**
 * For a command that has work of its own to do first: loads what {@link withPlatform} needs to open a directory, if nothing runs on it.
 * A child process or a compiler that the command waits for leaves the time for it. A failure comes again, to whoever needs the module.
 */
export async function loadPlatformAhead(options: GlobalOptions): Promise<void> {
  try {
    if (options.url !== undefined || (await runningInstance(configurationOf(options))) !== undefined) return;
    await Promise.all([
      import('../services/all-in-one/platform.ts'),
      import('../services/all-in-one/start-gateway.ts'),
      import('../runtime/adapters/embedded-log/embedded-log.ts'),
      import('../runtime/adapters/state/lmdb-state-store.ts'),
      import('../runtime/adapters/query/sqlite-query-store.ts'),
    ]);
  } catch {
    // told where it is needed
  }
}

async function runningInstance(configuration: Configuration): Promise<string | undefined> {
  if (configuration.profile !== 'local') return undefined;
  const { readInstance } = await import('../runtime/adapters/directory-lock.ts');
  return readInstance(configuration.directory)?.url;
}

import { existsSync } from 'node:fs';
import { resolveConfiguration } from '../runtime/config/resolve.ts';
import type { Configuration } from '../runtime/config/settings.ts';
import { hasCode } from '../runtime/ports/errors.ts';
import { type Client, connect } from '../sdk/client/index.ts';
import type { Platform, PlatformOptions } from '../services/all-in-one/platform.ts';
import { addressOf, untilNobodyFollows } from './shared-directory.ts';

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
 * Gives a command something to talk to: the address that was asked for (`--url`, `MILLRACE_URL`), the instance that runs on the directory, or
 * the platform started within this process for as long as the command takes. On a cluster that is a gateway alone: other roles would be
 * members of production's consumer groups.
 */
export async function withPlatform<T>(
  options: GlobalOptions,
  work: (session: Session) => Promise<T>,
  { watchersAfterMs }: Pick<PlatformOptions, 'watchersAfterMs'> = {},
): Promise<T> {
  const configuration = configurationOf(options);
  const token = configuration['http.token'] === '' ? undefined : configuration['http.token'];
  const client = (url: string): Client =>
    connect({ url, token, actor: configuration.actor === '' ? undefined : configuration.actor });
  const given = options.url ?? process.env['MILLRACE_URL'];
  const found = given ?? (await instanceOrOwn(configuration, watchersAfterMs));
  if (typeof found === 'string')
    return await work({ client: client(found), url: found, configuration, platform: undefined });
  const platform = found;
  try {
    await platform.ready();
    const url = platform.url ?? '';
    return await work({ client: client(url), url, configuration, platform });
  } finally {
    await untilNobodyFollows(platform);
    await platform.close();
  }
}

/** Where the instance answers that runs on the directory, else a platform of this process. */
async function instanceOrOwn(configuration: Configuration, watchersAfterMs?: number): Promise<string | Platform> {
  for (let again = 3; ; again--) {
    const url = configuration.profile === 'local' ? await addressOf(configuration.directory) : undefined;
    if (url !== undefined) return url;
    const { startPlatform } = await import('../services/all-in-one/platform.ts');
    try {
      return await startPlatform({
        configuration: { ...configuration, 'http.port': 0 },
        only: configuration.profile === 'cluster' ? ['gateway'] : undefined,
        watchersAfterMs,
      });
    } catch (error) {
      // another command was faster: it answers soon
      if (again === 0 || !hasCode(error, 'LOCKED')) throw error;
    }
  }
}

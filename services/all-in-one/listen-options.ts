import type { Configuration } from '../../runtime/config/settings.ts';

/** Where a process answers HTTP, and whom. */
export function listenOptions(configuration: Configuration): {
  readonly host: string;
  readonly port: number;
  readonly token: string;
  readonly hosts: readonly string[];
} {
  return {
    host: configuration['http.host'],
    port: configuration['http.port'],
    token: configuration['http.token'],
    hosts: configuration['http.hosts'],
  };
}

import type { Configuration } from '../../runtime/config/settings.ts';
import { EgressClient } from '../egress/egress-client.ts';
import { ReachableAddresses } from '../egress/reachable-address.ts';
import { openSecretBox, type SecretBox } from '../egress/secret-box.ts';

/** What makes requests to addresses that users gave. */
export function egressParts(configuration: Configuration): {
  readonly client: EgressClient;
  readonly secrets: SecretBox;
} {
  const addresses = new ReachableAddresses(configuration['webhooks.allow']);
  const client = new EgressClient(addresses, { timeoutMs: configuration['webhooks.timeout_ms'] });
  const directory = configuration.profile === 'local' ? configuration.directory : undefined;
  return { client, secrets: openSecretBox(configuration['webhooks.key'], directory) };
}

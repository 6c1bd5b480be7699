/**
 * Which addresses requests of the platform may go to: public ones, and private networks that the configuration names. A name is resolved
 * once, all its addresses are judged, and the connection is made to one that was judged: a name that changes in between leads nowhere else.
 */
import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { MillraceError } from '../../runtime/ports/errors.ts';

export interface Reachable {
  readonly address: string;
  readonly family: 4 | 6;
}

export type Resolve = (host: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;

/** Addresses that are not of the public internet (IANA special-purpose registries), and those that carry such a one within them. */
const special: Readonly<Record<'ipv4' | 'ipv6', readonly string[]>> = {
  ipv4: [
    ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
    ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
    ...['224.0.0.0/4', '240.0.0.0/4'],
  ],
  ipv6: [
    ...['::/96', '64:ff9b::/96', '64:ff9b:1::/48', '100::/64', '2001::/23', '2001:db8::/32', '2002::/16'],
    ...['3fff::/20', '5f00::/16', 'fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8'],
  ],
};

export class ReachableAddresses {
  /** Made when the first address is judged. */
  #special: BlockList | undefined;
  readonly #allowed: BlockList;
  readonly #resolve: Resolve;

  /** `allow`: networks as `10.0.0.0/8`. INVALID_CONFIGURATION for anything else. */
  constructor(allow: readonly string[], resolve: Resolve = async (host) => await lookup(host, { all: true })) {
    this.#allowed = listOf(allow);
    this.#resolve = resolve;
  }

  /** An address of the host that may be reached. FORBIDDEN when one of its addresses may not, UNAVAILABLE when it has none. */
  async find(url: URL): Promise<Reachable> {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const found = isIP(host) === 0 ? await this.#resolved(host) : [{ address: host, family: isIP(host) }];
    const [first] = found;
    if (first === undefined) throw new MillraceError('UNAVAILABLE', `'${host}' has no address`);
    for (const { address } of found) {
      const known = this.#isAllowed(address);
      if (!known && this.isSpecial(address))
        throw new MillraceError(
          'FORBIDDEN',
          `'${host}' leads to ${address}, which is not of the public internet: webhooks.allow can permit its network`,
        );
      if (!known && url.protocol !== 'https:')
        throw new MillraceError('FORBIDDEN', `'${host}' must be spoken to by https: http is for webhooks.allow alone`);
    }
    return { address: first.address, family: first.family === 6 ? 6 : 4 };
  }

  isSpecial(address: string): boolean {
    const mapped = mappedIpv4(address);
    this.#special ??= listOf([...special.ipv4, ...special.ipv6]);
    return this.#special.check(mapped ?? address, mapped !== undefined || isIP(address) === 4 ? 'ipv4' : 'ipv6');
  }

  #isAllowed(address: string): boolean {
    const mapped = mappedIpv4(address);
    return this.#allowed.check(mapped ?? address, mapped !== undefined || isIP(address) === 4 ? 'ipv4' : 'ipv6');
  }

  async #resolved(host: string): ReturnType<Resolve> {
    try {
      return await this.#resolve(host);
    } catch (error) {
      throw new MillraceError('UNAVAILABLE', `'${host}' cannot be resolved`, { cause: error });
    }
  }
}

/** The IPv4 address in `::ffff:a.b.c.d`, however it is written. */
function mappedIpv4(address: string): string | undefined {
  if (isIP(address) !== 6) return undefined;
  const canonical = new URL(`http://[${address.replace(/%.*$/, '')}]`).hostname;
  const [, high, low] = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(canonical) ?? [];
  if (high === undefined || low === undefined) return undefined;
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [a >> 8, a & 255, b >> 8, b & 255].join('.');
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits = isIP(address) === 6 ? '128' : '32', ...more] = network.split('/');
    const family = isIP(address);
    if (family === 0 || more.length > 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > (family === 6 ? 128 : 32))
      throw new MillraceError(
        'INVALID_CONFIGURATION',
        `'${network}' is no network: webhooks.allow takes some like 10.1.0.0/16 or fd00::/8, comma-separated`,
      );
    list.addSubnet(address, Number(bits), family === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}

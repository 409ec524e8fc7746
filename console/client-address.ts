import type { IncomingMessage } from 'node:http';
import { BlockList, isIPv6 } from 'node:net';

export interface ClientAddresses {
  /** Whether what such an address says in `X-Forwarded-For` is believed. */
  trusts(address: string): boolean;
  /** Who calls: the socket's address, or the nearest one before trusted proxies. For what Fastify does not see, upgrades. */
  of(request: IncomingMessage): string;
}

/** `trusted`: addresses, networks, `loopback` (`trusted_proxies` of console.yaml). Of nobody, the header counts for nothing. */
export function createClientAddresses(trusted: readonly string[]): ClientAddresses {
  const known = new BlockList();
  for (const each of trusted.flatMap((text) => (text === 'loopback' ? ['127.0.0.0/8', '::1'] : [text]))) {
    const [address = '', bits] = each.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (bits === undefined) known.addAddress(address, family);
    else known.addSubnet(address, Number(bits), family);
  }
  const trusts = (address: string) => {
    try {
      return known.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
    } catch {
      return false;
    }
  };
  return {
    trusts,
    of(request) {
      const said = [request.headers['x-forwarded-for'] ?? []].flat().flatMap((text) => text.split(','));
      let caller = request.socket.remoteAddress ?? 'unknown';
      while (trusts(caller) && said.length > 0) caller = said.pop()?.trim() ?? caller;
      return caller;
    },
  };
}

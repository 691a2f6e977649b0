/** To which hosts credentials and conversations may go without TLS: this machine, and networks of one's own. */
import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** Lets plain `ws://` go to any name, and to nothing but what is private among addresses. */
export const PLAINTEXT_VARIABLE = 'OPENCLAW_ALLOW_INSECURE_PRIVATE_WS';

const OWN = new BlockList();
for (const [network, bits] of [['127.0.0.0', 8], ['10.0.0.0', 8], ['172.16.0.0', 12], ['192.168.0.0', 16], ['169.254.0.0', 16], ['100.64.0.0', 10]] as const) OWN.addSubnet(network, bits, 'ipv4');
for (const [network, bits] of [['::1', 128], ['fe80::', 10], ['fc00::', 7], ['fec0::', 10]] as const) OWN.addSubnet(network, bits, 'ipv6');

/**
 * @param hostname of a URL, IPv6 in brackets
 * @param allowsNames that variable is set to 1
 */
export function mayBePlaintext(hostname: string, allowsNames: boolean): boolean {
  const host = hostname.toLowerCase().replace(/^\[(.*)\]$/u, '$1').replace(/\.+$/u, '');
  if (isIPv4(host)) return OWN.check(host, 'ipv4');
  if (isIPv6(host)) return OWN.check(host, 'ipv6');
  return host === 'localhost' || host.endsWith('.local') || host.endsWith('.ts.net') || allowsNames;
}

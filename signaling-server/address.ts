/** Whose a connection is, for limits: never kept longer than they need it, and never logged. */
import type { IncomingMessage } from 'node:http';
import proxyAddr from 'proxy-addr';

/**
 * @param trustedProxies addresses or subnets, such as `loopback` or `10.0.0.0/8`, whose `X-Forwarded-For` is believed;
 *   without any, all visitors behind a proxy share its address.
 * @throws TypeError for what is no address.
 */
export function addressReader(trustedProxies: string[]): (request: IncomingMessage) => string {
  const trust = proxyAddr.compile(trustedProxies);
  return (request) => networkOf(proxyAddr(request, trust) ?? '');
}

/** An IPv4 address, or the /64 of an IPv6 one, which is what one customer has at least. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped) return mapped;
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.replace(/%.*/, '').toLowerCase().split('::');
  const groups = head.split(':').filter(Boolean);
  if (tail !== undefined) {
    const end = tail.split(':').filter(Boolean);
    while (groups.length + end.length < 8) groups.push('0');
    groups.push(...end);
  }
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}

/** Under which addresses other devices in the same network reach this machine. */
import { networkInterfaces } from 'node:os';

/** Private ones first (RFC 1918), of which home networks have the first kind. */
const order = [/^192\.168\./, /^10\./, /^172\.(1[6-9]|2\d|3[01])\./];
/** Networks between a machine and its own containers and virtual machines. */
const isVirtual = (name: string) => /^(docker|br-|veth|virbr|vmnet|vboxnet)/.test(name);

/** Origins such as `http://192.168.1.5:3000`, the likeliest first. */
export function networkOrigins(port: number, interfaces = networkInterfaces()): string[] {
  const rank = (address: string) => {
    const at = order.findIndex((range) => range.test(address));
    return at < 0 ? order.length : at;
  };
  return Object.entries(interfaces)
    .filter(([name]) => !isVirtual(name))
    .flatMap(([, addresses]) => addresses ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .sort((a, b) => rank(a.address) - rank(b.address))
    .map(({ address }) => `http://${address}:${port}`);
}

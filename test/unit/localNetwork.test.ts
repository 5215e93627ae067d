/** The addresses that an owner's tab offers to other devices, and whom the server tells them. */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import type { NetworkInterfaceInfo } from 'node:os';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { json } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { networkOrigins } from '../../signaling-server/localNetwork.ts';
import { createSignalingServer } from '../../signaling-server/server.ts';

const at = (address: string, more: Partial<NetworkInterfaceInfo> = {}) =>
  ({ address, family: 'IPv4', internal: false, ...more }) as NetworkInterfaceInfo;

test('addresses of home networks come first; loopback, IPv6 and networks of containers are none', () => {
  const interfaces = {
    lo: [at('127.0.0.1', { internal: true })],
    docker0: [at('172.17.0.1')],
    tun0: [at('100.64.0.9')],
    eth0: [at('10.0.0.4'), at('fe80::1', { family: 'IPv6' } as Partial<NetworkInterfaceInfo>)],
    wlan0: [at('192.168.1.5')],
    gone: undefined,
  };
  expect(networkOrigins(3000, interfaces)).toEqual([
    'http://192.168.1.5:3000',
    'http://10.0.0.4:3000',
    'http://100.64.0.9:3000',
  ]);
});

test('the server tells its own machine, keeps what the file says, and tells nobody else', async () => {
  const distDir = await mkdtemp(path.join(tmpdir(), 'blindsight-'));
  const settings = { signaling: 'https://signaling.example/' };
  await writeFile(path.join(distDir, 'settings.json'), JSON.stringify(settings));
  const server = await createSignalingServer({
    port: 0,
    distDir,
    modelsDir: distDir,
    modelFiles: new Set(),
    trustedProxies: ['loopback'],
  });
  try {
    const read = async (headers: Record<string, string>) =>
      (await fetch(`http://127.0.0.1:${server.port}/settings.json`, { headers })).json();
    // `fetch` sets the name itself.
    const readAs = async (host: string) => {
      const [response] = await once(get({ port: server.port, path: '/settings.json', headers: { host } }), 'response');
      return json(response as IncomingMessage);
    };
    expect(await read({})).toEqual({ ...settings, networkOrigins: networkOrigins(server.port) });
    expect(await read({ 'X-Forwarded-For': '203.0.113.7' })).toEqual(settings);
    expect(await readAs('elsewhere.example')).toEqual(settings);
    await writeFile(path.join(distDir, 'settings.json'), 'no JSON');
    await expect(read({})).rejects.toThrow('JSON');
    expect((await fetch(`http://127.0.0.1:${server.port}/healthz`)).status).toBe(200);
  } finally {
    await server.stop();
    await rm(distDir, { recursive: true });
  }
});

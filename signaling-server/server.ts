import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { attachRelay } from './relay.ts';
import { type StaticOptions, staticFiles } from './staticFiles.ts';

export interface SignalingServer {
  readonly port: number;
  /** Tells the tabs, closes every connection, and resolves when the port is free. */
  stop(): Promise<void>;
}

/** What tabs have to take leave in. */
const graceMs = 500;

/**
 * Serves the app and introduces tabs to each other. Listens on all interfaces, so that a telephone in the same network
 * can take part; `port` 0 takes a free one.
 */
export async function createSignalingServer(options: StaticOptions & { port: number }): Promise<SignalingServer> {
  const http = createServer(staticFiles(options));
  const relay = attachRelay(http);
  const connections = new Set<Socket>();
  http.on('connection', (socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
    http.listen(options.port, resolve);
  });
  return {
    port: (http.address() as AddressInfo).port,
    async stop() {
      const closed = relay.stop(); // closes `http` as well
      // Which waits for every connection, for ever for one that a browser opened in advance and never used. Node's
      // `closeAllConnections` knows of no WebSockets.
      const timer = setTimeout(() => {
        for (const socket of connections) socket.destroy();
      }, graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

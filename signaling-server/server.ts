import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { attachRelay } from './relay.ts';
import { type StaticOptions, staticFiles } from './staticFiles.ts';

export interface SignalingServer {
  readonly port: number;
  /** Tells the tabs, closes every connection, and resolves when the port is free. */
  stop(): Promise<void>;
}

/**
 * Serves the app and introduces tabs to each other. Listens on all interfaces, so that a telephone in the same network
 * can take part; `port` 0 takes a free one.
 */
export async function createSignalingServer(options: StaticOptions & { port: number }): Promise<SignalingServer> {
  const http = createServer(staticFiles(options));
  const relay = attachRelay(http);
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
    http.listen(options.port, resolve);
  });
  return {
    port: (http.address() as AddressInfo).port,
    async stop() {
      http.closeIdleConnections();
      await relay.stop(); // closes `http` as well
      http.closeAllConnections();
    },
  };
}

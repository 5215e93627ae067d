import path from 'node:path';
import { build } from 'vite';

/** The journeys run what is shipped: the built client behind the signaling server. */
export default async function buildClient(): Promise<void> {
  await build({ configFile: path.join(import.meta.dirname, '../../../client/vite.config.ts'), logLevel: 'warn' });
}

import { networkInterfaces } from 'node:os';
import { fileURLToPath } from 'node:url';
import { createSignalingServer } from './server.ts';

const port = Number(process.env.PORT ?? 3000);
if (!Number.isInteger(port) || port < 0 || port > 65535) {
  console.error(`PORT must be a number from 0 to 65535, not "${process.env.PORT}".`);
  process.exit(1);
}

const here = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
try {
  const server = await createSignalingServer({
    port,
    distDir: here('../client/dist'),
    modelsDir: here('../model-artifacts/zoo'),
  });
  const inNetwork = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => `http://${address}:${server.port}`);
  console.log(
    `Blindsight: http://localhost:${server.port}${inNetwork.length ? ` (in your network: ${inNetwork.join(', ')})` : ''}`,
  );
  const stop = () => void server.stop().then(() => process.exit(0));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
} catch (error) {
  const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
  console.error(taken ? `Port ${port} is in use: set PORT to another.` : String(error));
  process.exit(1);
}

import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import { licenses } from './licenses.ts';
import { precompress } from './precompress.ts';

/** Where `npm run dev` starts the server. */
const signalingServer = `http://localhost:${process.env.PORT || 3000}`;

const { page, worker } = licenses();

export default defineConfig({
  root: import.meta.dirname,
  plugins: [svelte(), page, precompress()],
  worker: { format: 'es', plugins: () => [worker] },
  build: {
    target: 'es2022',
    outDir: 'dist',
    emptyOutDir: true,
    // The page's content policy admits no data: fonts or scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    headers: { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' },
    proxy: { '/socket.io': { target: signalingServer, ws: true }, '/models': signalingServer },
  },
});

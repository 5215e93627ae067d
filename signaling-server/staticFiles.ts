import { createReadStream } from 'node:fs';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import { pipeline } from 'node:stream';
import { createGzip } from 'node:zlib';
import { type Accuracy, accuracyOf } from './modelCard.ts';

const contentTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.md': 'text/markdown; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.webp': 'image/webp',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.bin': 'application/octet-stream',
  '.onnx': 'application/octet-stream',
};
const compressed = new Set(['.html', '.js', '.mjs', '.css', '.json', '.svg', '.wasm']);

/**
 * Cross-origin isolation (shared memory and precise timers need it), and a policy under which a page can load code from
 * here only. `wasm-unsafe-eval` admits WebAssembly, and no eval of JavaScript.
 */
const securityHeaders = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; font-src 'self'; " +
    "img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self' ws: wss: blob:; manifest-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Permissions-Policy': 'camera=(self), microphone=(), geolocation=()',
};

export interface StaticOptions {
  /** The built client. */
  distDir: string;
  /** Folder of model artifacts, served under /models/. */
  modelsDir: string;
}

/** Serves the built client, and the model artifacts under /models/; `/models/index.json` lists them. */
export function staticFiles({ distDir, modelsDir }: StaticOptions) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value);
    try {
      if (request.method !== 'GET' && request.method !== 'HEAD') return fail(response, 405, 'Only GET and HEAD.');
      const { pathname } = new URL(request.url ?? '/', 'http://localhost');
      const segments = decodeURIComponent(pathname).split('/').filter(Boolean);
      if (pathname === '/models/index.json') {
        response.setHeader('Cache-Control', 'no-cache');
        response.setHeader('Content-Type', contentTypes['.json']!);
        response.end(JSON.stringify(await listModels(modelsDir)));
        return;
      }
      const isModel = segments[0] === 'models';
      const root = isModel ? modelsDir : distDir;
      const file = await findFile(root, isModel ? segments.slice(1) : segments);
      if (file) return await sendFile(request, response, file, segments[0] === 'assets');
      if (pathname === '/') return fail(response, 503, 'The client is not built yet: run `npm run demo`.');
      fail(response, 404, 'Not found.');
    } catch (error) {
      if (error instanceof URIError || error instanceof TypeError) return fail(response, 400, 'Malformed address.');
      fail(response, 500, 'The server failed to read a file.');
    }
  };
}

/** `segments` below `root`, or undefined; links that lead out of `root` count as not found. */
async function findFile(root: string, segments: string[]): Promise<string | undefined> {
  if (segments.some((segment) => segment.startsWith('.') || segment.includes('\0') || segment.includes('\\')))
    return undefined;
  try {
    const realRoot = await realpath(root);
    let file = await realpath(path.join(realRoot, ...segments));
    if ((await stat(file)).isDirectory()) file = await realpath(path.join(file, 'index.html'));
    return file.startsWith(realRoot + path.sep) && (await stat(file)).isFile() ? file : undefined;
  } catch {
    return undefined;
  }
}

async function sendFile(request: IncomingMessage, response: ServerResponse, file: string, hashedName: boolean) {
  const extension = path.extname(file);
  const { size, mtimeMs } = await stat(file);
  const zip = compressed.has(extension) && /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
  const tag = `"${size.toString(36)}-${Math.trunc(mtimeMs).toString(36)}${zip ? '-gz' : ''}"`;
  response.setHeader('Content-Type', contentTypes[extension] ?? 'application/octet-stream');
  response.setHeader('Cache-Control', hashedName ? 'public, max-age=31536000, immutable' : 'no-cache');
  response.setHeader('ETag', tag);
  if (compressed.has(extension)) response.setHeader('Vary', 'Accept-Encoding');
  if (request.headers['if-none-match'] === tag) {
    response.statusCode = 304;
    response.end();
    return;
  }
  if (zip) response.setHeader('Content-Encoding', 'gzip');
  else response.setHeader('Content-Length', size);
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  // A visitor who closes the page ends the pipeline early; there is nobody left to tell.
  const done = () => {};
  if (zip) pipeline(createReadStream(file), createGzip(), response, done);
  else pipeline(createReadStream(file), response, done);
}

export interface ListedModel {
  name: string;
  title: string;
  description: string;
  /** Size of the owner's weights. */
  weightsBytes: number;
  /** By the model's card; null where it says nothing. */
  accuracy: Accuracy | null;
}

async function listModels(modelsDir: string): Promise<ListedModel[]> {
  const entries = await readdir(modelsDir, { withFileTypes: true }).catch(() => []);
  const models = await Promise.all(
    entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map(async ({ name }) => {
        try {
          const manifest = JSON.parse(await readFile(path.join(modelsDir, name, 'manifest.json'), 'utf8'));
          const { size } = await stat(path.join(modelsDir, name, 'weights.bin'));
          const card = await readFile(path.join(modelsDir, name, 'card.md'), 'utf8').catch(() => '');
          return {
            name,
            title: String(manifest.title),
            description: String(manifest.description),
            weightsBytes: size,
            accuracy: accuracyOf(card) ?? null,
          };
        } catch {
          return undefined; // not, or not yet, an artifact
        }
      }),
  );
  return models.filter((model) => model !== undefined);
}

function fail(response: ServerResponse, status: number, message: string): void {
  if (response.headersSent) return void response.destroy();
  response.statusCode = status;
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.end(message);
}

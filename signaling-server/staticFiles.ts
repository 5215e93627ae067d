import { readFile, realpath, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import Negotiator from 'negotiator';
import send from 'send';
import { type Accuracy, accuracyOf } from './modelCard.ts';

/**
 * Cross-origin isolation (shared memory and precise timers need it), and a policy under which a page can load code from
 * here only, and connect to this host only. `wasm-unsafe-eval` admits WebAssembly, and no eval of JavaScript. Browsers
 * differ in whether 'self' covers WebSockets, so the host is named.
 */
function securityHeaders(host: string | undefined): Record<string, string> {
  const isName = host !== undefined && /^[\w.-]+(:\d+)?$|^\[[\da-f:.]+\](:\d+)?$/i.test(host);
  const sockets = isName ? ` ws://${host} wss://${host}` : '';
  return {
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Embedder-Policy': 'require-corp',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Content-Security-Policy':
      "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; font-src 'self'; " +
      `img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'${sockets} blob:; manifest-src 'self'; ` +
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Permissions-Policy': 'camera=(self), microphone=(), geolocation=()',
  };
}

export interface StaticOptions {
  /** The built client. */
  distDir: string;
  /** Folder of model artifacts, served under /models/. */
  modelsDir: string;
  /** The files below it that are for everybody (bundledModels.ts). */
  modelFiles: ReadonlySet<string>;
}

/**
 * Serves the built client, and models under /models/; `/models/index.json` lists them. `send` does what HTTP asks:
 * conditional requests (strong, weak and lists of tags), ranges, types. Files are compressed when the client is built.
 */
export function staticFiles({ distDir, modelsDir, modelFiles }: StaticOptions) {
  const index = listModels(modelsDir, modelFiles).then((models) => JSON.stringify(models));
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    for (const [name, value] of Object.entries(securityHeaders(request.headers.host))) response.setHeader(name, value);
    try {
      if (request.method !== 'GET' && request.method !== 'HEAD') return fail(response, 405, 'Only GET and HEAD.');
      const segments = segmentsOf(request.url ?? '/');
      if (!segments) return fail(response, 400, 'Malformed address.');
      const name = segments.join('/');
      if (name === 'models/index.json') {
        response.setHeader('Cache-Control', 'no-cache');
        response.setHeader('Content-Type', 'application/json; charset=utf-8');
        response.end(await index);
        return;
      }
      const model = segments[0] === 'models' ? name.slice('models/'.length) : undefined;
      const file =
        model === undefined
          ? await findFile(distDir, name || 'index.html')
          : modelFiles.has(model) && (await findFile(modelsDir, model));
      if (file) return await sendFile(request, response, file, segments[0] === 'assets');
      if (name === '') return fail(response, 503, 'The client is not built yet: run `npm run demo`.');
      fail(response, 404, 'Not found.');
    } catch {
      fail(response, 500, 'The server failed to read a file.');
    }
  };
}

/** Parts of the path; undefined where its percent signs mean nothing. */
function segmentsOf(url: string): string[] | undefined {
  try {
    return decodeURIComponent(url.split(/[?#]/, 1)[0]).split('/').filter(Boolean);
  } catch {
    return undefined;
  }
}

/** A file below `root`, or undefined; hidden ones, and links that lead out of `root`, count as not found. */
async function findFile(root: string, name: string): Promise<string | undefined> {
  if (/(^|\/)\.|[\0\\]/.test(name)) return undefined;
  try {
    const realRoot = await realpath(root);
    const file = await realpath(path.join(realRoot, name));
    return file.startsWith(realRoot + path.sep) && (await stat(file)).isFile() ? file : undefined;
  } catch {
    return undefined;
  }
}

async function sendFile(request: IncomingMessage, response: ServerResponse, file: string, hashedName: boolean) {
  // The build has put it beside the file where it is smaller.
  const hasZip = (await stat(`${file}.gz`).catch(() => undefined)) !== undefined;
  const zip = hasZip && new Negotiator(request).encoding(['gzip', 'identity']) === 'gzip';
  if (hasZip) response.setHeader('Vary', 'Accept-Encoding');
  if (zip) response.setHeader('Content-Encoding', 'gzip');
  response.setHeader('Cache-Control', hashedName ? 'public, max-age=31536000, immutable' : 'no-cache');
  const type = contentTypes[path.extname(file)];
  if (type) response.setHeader('Content-Type', type);
  send(request, path.basename(zip ? `${file}.gz` : file), {
    root: path.dirname(file),
    cacheControl: false,
    dotfiles: 'deny',
    index: false,
  })
    .on('error', ({ status }: { status?: number }) => {
      response.removeHeader('Content-Encoding');
      fail(response, status ?? 500, 'The file cannot be sent like this.');
    })
    .pipe(response);
}

/** By the file's own name, whatever it is compressed to; for other names `send` knows the type. */
const contentTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.onnx': 'application/octet-stream',
};

export interface ListedModel {
  name: string;
  title: string;
  description: string;
  /** Size of the owner's weights. */
  weightsBytes: number;
  /** That enter the first block. */
  tokens: number;
  /** By the model's card; null where it says nothing. */
  accuracy: Accuracy | null;
  /** Whether `confidence.json` says what its answers are worth. */
  isMeasured: boolean;
}

/** What `/models/index.json` says. */
export async function listModels(modelsDir: string, files: ReadonlySet<string>): Promise<ListedModel[]> {
  const names = [...files].flatMap((file) => /^([^/]+)\/manifest\.json$/.exec(file)?.[1] ?? []);
  const models = await Promise.all(
    names.map(async (name) => {
      try {
        const manifest = JSON.parse(await readFile(path.join(modelsDir, name, 'manifest.json'), 'utf8'));
        const { size } = await stat(path.join(modelsDir, name, 'weights.bin'));
        const card = await readFile(path.join(modelsDir, name, 'card.md'), 'utf8').catch(() => '');
        return {
          name,
          title: String(manifest.title),
          description: String(manifest.description),
          weightsBytes: size,
          tokens: Number(manifest.architecture.tokens),
          isMeasured: files.has(`${name}/confidence.json`),
          accuracy: accuracyOf(card) ?? null,
        };
      } catch {
        return undefined; // no artifact
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

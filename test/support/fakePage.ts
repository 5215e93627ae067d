/** What the client's stores need of a page, in Node: Workers that do what a test says, storage, an address, files on a server. */
import { vi } from 'vitest';
import type { FromImageWorker, ToImageWorker } from '../../client/src/worker/messages.ts';

export class FakeWorker {
  static all: FakeWorker[] = [];
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: ((event: unknown) => void) | null = null;
  readonly posted: { type?: string }[] = [];
  ended = false;
  readonly name: string;

  constructor(_: URL, options: { name: string }) {
    this.name = options.name;
    FakeWorker.all.push(this);
  }

  postMessage(message: { type?: string }): void {
    this.posted.push(message);
    if (this.name === 'image') prepare(message as ToImageWorker, (data) => this.say(data));
  }

  /** To the page. */
  say(data: unknown): void {
    if (!this.ended) this.onmessage?.({ data });
  }

  terminate(): void {
    this.ended = true;
  }
}

/** A picture of the file's first byte everywhere. */
function prepare({ id, file, preprocessing }: ToImageWorker, answer: (message: FromImageWorker) => void): void {
  void file.arrayBuffer().then((bytes) => {
    const { crop: height, cropWidth: width = height } = preprocessing;
    const pixels = new Uint8Array(3 * height * width).fill(new Uint8Array(bytes)[0]);
    const preview = { width, height, close() {} } as ImageBitmap;
    answer({ id, image: { pixels, seen: { width, height }, width, height, preview } });
  });
}

/** @param files by their addresses relative to the page */
export function fakePage(files: Record<string, unknown>): void {
  FakeWorker.all = [];
  const stored = new Map<string, string>();
  vi.stubGlobal('Worker', FakeWorker);
  vi.stubGlobal('navigator', { languages: ['en'], userAgent: 'test' });
  vi.stubGlobal('location', { href: 'https://example.org/app/', search: '' });
  vi.stubGlobal('sessionStorage', {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => void stored.set(key, value),
    removeItem: (key: string) => void stored.delete(key),
  });
  vi.stubGlobal('fetch', async (url: string) =>
    url in files ? Response.json(files[url]) : new Response('', { status: 404 }),
  );
}

/**
 * The service worker of a page on a static host. The app's own files are kept from the first visit on; a model's when they
 * were fetched once. What may change under its name comes from the network while there is one: the page, so that a new version
 * is seen, who introduces two tabs (settings.json, ice.json), which models there are, and what a model is (its manifest). Of a
 * model that has changed, nothing is kept. A browser that cannot keep a file gets it all the same.
 */
/** Put in by scripts/build-static.ts: a name for this version, and its files. */
declare const version: string;
declare const files: string[];

export {}; // a module, of names of its own

const worker = self as unknown as ServiceWorkerGlobalScope;
const family = 'blindsight ';
const cacheName = `${family}${version}`;

worker.addEventListener('install', (event) => {
  event.waitUntil(caches.open(cacheName).then((cache) => cache.addAll(files)));
});

worker.addEventListener('activate', (event) => {
  const forget = async () => {
    for (const name of await caches.keys())
      if (name.startsWith(family) && name !== cacheName) await caches.delete(name);
    await worker.clients.claim();
  };
  event.waitUntil(forget());
});

worker.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || new URL(request.url).origin !== worker.location.origin) return;
  const keep = (kept: Promise<unknown>) => event.waitUntil(kept.catch(() => {})); // the disk may be full
  event.respondWith(answer(request, keep));
});

/** Lets the worker live until something is kept, whether that works or not. */
type Keep = (kept: Promise<unknown>) => void;

async function answer(request: Request, keep: Keep): Promise<Response> {
  if (request.mode === 'navigate') return fromNetwork(request, keep, './');
  const path = pathOf(request.url);
  const model = /^models\/[^/]+\//.exec(path)?.[0];
  if (model && path === `${model}manifest.json`) return (await newestManifest(request.url, keep)).clone();
  if (/^(settings|ice|models\/index)\.json$/.test(path)) return fromNetwork(request, keep);
  const kept = await found(request);
  if (!kept) return fetchAndKeep(request, keep);
  if (!model || path.startsWith(`${model}samples/`)) return kept;
  // A model's files fit together: before one is used that was kept, it is known whether the model has changed.
  await newestManifest(addressOf(`${model}manifest.json`), keep).catch(() => {});
  return (await found(request)) ?? fetchAndKeep(request, keep);
}

/** Below the folder of the page: `models/index.json`. */
const pathOf = (url: string): string => {
  const { origin, pathname } = new URL(url);
  return (origin + pathname).slice(worker.registration.scope.length);
};
const addressOf = (path: string): string => new URL(path, worker.registration.scope).href;

/** What is kept; nothing where the browser does not let it be read. */
async function found(request: Request | string): Promise<Response | undefined> {
  try {
    return await (await caches.open(cacheName)).match(request, { ignoreVary: true });
  } catch {
    return undefined;
  }
}

/** @throws TypeError without a network. */
async function fetchAndKeep(request: Request, keep: Keep, init?: RequestInit): Promise<Response> {
  const response = await fetch(request, init);
  if (response.status === 200) {
    const copy = response.clone();
    keep(caches.open(cacheName).then((cache) => cache.put(request, copy)));
  }
  return response;
}

/** @param otherwise what is answered where neither network nor cache has it. @throws TypeError without any of them. */
async function fromNetwork(request: Request, keep: Keep, otherwise?: string): Promise<Response> {
  try {
    // The browser's own cache is asked no more than whether its copy is the newest. A navigation takes no options.
    return await fetchAndKeep(request, keep, request.mode === 'navigate' ? undefined : { cache: 'no-cache' });
  } catch (error) {
    const kept = (await found(request)) ?? (otherwise === undefined ? undefined : await found(otherwise));
    if (kept) return kept;
    throw error;
  }
}

/** Those that are being asked for, by their addresses: a model's files are asked for at once. */
const manifests = new Map<string, Promise<Response>>();

/** A manifest from the network, or the kept one; where the two differ, all that is kept of the model goes. */
function newestManifest(url: string, keep: Keep): Promise<Response> {
  const asked = manifests.get(url);
  if (asked) return asked;
  const request = new Request(url);
  const newest = (async () => {
    const before = await (await found(request))?.text();
    const response = await fromNetwork(request, keep);
    const isOther = response.status === 200 && before !== undefined && (await response.clone().text()) !== before;
    if (isOther) await forgetFolder(new URL('.', url).href);
    return response;
  })().finally(() => manifests.delete(url));
  manifests.set(url, newest);
  return newest;
}

/** All but the manifest, which is being kept anew. */
async function forgetFolder(folder: string): Promise<void> {
  try {
    const cache = await caches.open(cacheName);
    for (const { url } of await cache.keys())
      if (url.startsWith(folder) && url !== `${folder}manifest.json`) await cache.delete(url, { ignoreVary: true });
  } catch {
    // Then nothing of it can be read either.
  }
}

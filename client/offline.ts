/**
 * The service worker of a page on a static host. The app's own files are kept from the first visit on; a model's when they
 * were fetched once. What may change under its name comes from the network while there is one: the page, so that a new version
 * is seen, who introduces two tabs (settings.json, ice.json), which models there are, and what a model is (its manifest). Of a
 * model that has changed, nothing is kept. A browser that cannot keep a file gets it all the same. Hosts let a browser take a
 * file from its own cache for minutes: that one is asked no more than whether its copy is the newest, or files would not fit.
 */
/** Put in by scripts/build-static.ts: a name for this version, and its files. */
declare const version: string;
declare const files: string[];

export {}; // a module, of names of its own

const worker = self as unknown as ServiceWorkerGlobalScope;
/** Each build on this host has its own: a scope has no spaces. */
const family = `blindsight ${worker.registration.scope} `;
const cacheName = `${family}${version}`;

worker.addEventListener('install', (event) => {
  const newest = files.map((file) => new Request(addressOf(file), { cache: 'reload' }));
  event.waitUntil(caches.open(cacheName).then((cache) => cache.addAll(newest)));
});

worker.addEventListener('activate', (event) => {
  const forget = async () => {
    for (const name of await caches.keys())
      if (name !== cacheName && (name.startsWith(family) || (await isOfBefore(name)))) await caches.delete(name);
    await worker.clients.claim();
  };
  event.waitUntil(forget());
});

/** Names had no scope once. Such a cache was this build's if this page is in it, and no page or file from elsewhere. */
async function isOfBefore(name: string): Promise<boolean> {
  if (!/^blindsight \S+$/.test(name)) return false;
  const { scope } = worker.registration;
  const kept = (await (await caches.open(name)).keys()).map(({ url }) => url);
  return kept.includes(scope) && kept.every((url) => url.startsWith(scope));
}

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
  // A model's files fit together: before one is used or kept, it is known whether the model has changed.
  if (model && !path.startsWith(`${model}samples/`))
    await newestManifest(addressOf(`${model}manifest.json`), keep).catch(() => {});
  const before = timesForgotten;
  return (await found(request)) ?? fetchAndKeep(request, keep, () => !model || timesForgotten === before);
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

/** @param stillFits asked when it has arrived as a whole. @throws TypeError without a network. */
async function fetchAndKeep(request: Request, keep: Keep, stillFits = () => true): Promise<Response> {
  const cache = 'no-cache';
  // A navigation takes no options, and follows redirects itself.
  const isNavigation = request.mode === 'navigate';
  const response = await (isNavigation
    ? fetch(new Request(request.url, { cache, redirect: 'manual' }))
    : fetch(request, { cache }));
  if (response.status === 200) keep(put(request.url, response.clone(), stillFits));
  return response;
}

async function put(url: string, response: Response, stillFits: () => boolean): Promise<void> {
  const cache = await caches.open(cacheName);
  const [name] = url.split('#', 1); // an invite's secret stands behind it
  await cache.put(name, response);
  if (!stillFits()) await cache.delete(name, { ignoreVary: true });
}

/** @param otherwise what is answered where neither network nor cache has it. @throws TypeError without any of them. */
async function fromNetwork(request: Request, keep: Keep, otherwise?: string): Promise<Response> {
  try {
    return await fetchAndKeep(request, keep);
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

/** What another tab asked for before, and has not all of yet, is not kept. */
let timesForgotten = 0;

/** All but the manifest, which is being kept anew. */
async function forgetFolder(folder: string): Promise<void> {
  timesForgotten++;
  try {
    const cache = await caches.open(cacheName);
    for (const { url } of await cache.keys())
      if (url.startsWith(folder) && url !== `${folder}manifest.json`) await cache.delete(url, { ignoreVary: true });
  } catch {
    // Then nothing of it can be read either.
  }
}

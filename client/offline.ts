/**
 * The service worker of a page on a static host. The app's own files are kept from the first visit on; a model's when they
 * were fetched once. The page itself comes from the network while there is one, so that a new version is seen.
 */
/** Put in by scripts/build-static.ts: a name for this version, and its files. */
declare const version: string;
declare const files: string[];

const worker = self as unknown as ServiceWorkerGlobalScope;
const cacheName = `blindsight ${version}`;

worker.addEventListener('install', (event) => {
  event.waitUntil(caches.open(cacheName).then((cache) => cache.addAll(files)));
});

worker.addEventListener('activate', (event) => {
  const forget = async () => {
    for (const name of await caches.keys()) if (name !== cacheName) await caches.delete(name);
    await worker.clients.claim();
  };
  event.waitUntil(forget());
});

worker.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method === 'GET' && new URL(request.url).origin === worker.location.origin)
    event.respondWith(answer(request));
});

async function answer(request: Request): Promise<Response> {
  const cache = await caches.open(cacheName);
  const kept = await cache.match(request, { ignoreVary: true });
  if (kept && request.mode !== 'navigate') return kept;
  try {
    const response = await fetch(request);
    if (response.status === 200) await cache.put(request, response.clone());
    return response;
  } catch (error) {
    const page = kept ?? (request.mode === 'navigate' ? await cache.match('./') : undefined);
    if (page) return page;
    throw error;
  }
}

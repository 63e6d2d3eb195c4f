/**
 * What was shared with the installed site: the service worker has put it into a cache, from which it is taken once.
 */

/** As in service-worker.js. */
const SHARED = "shared-pictures";

/** @returns {Promise<File[]>} */
export async function takeShared() {
  const cache = await caches.open(SHARED);
  const files = [];
  for (const request of await cache.keys()) {
    const response = await cache.match(request);
    if (!response) continue;
    const name = decodeURIComponent(response.headers.get("X-Name") ?? "");
    files.push(new File([await response.blob()], name, { type: response.headers.get("Content-Type") ?? "" }));
  }
  await caches.delete(SHARED);
  return files;
}

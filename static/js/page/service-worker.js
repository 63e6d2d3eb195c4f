/**
 * The installed site's service worker. It does two things and touches no other request: it takes the pictures that a
 * phone's *Share* posts, so that they never leave the device, and it shows a page where there is no connection.
 */

const OFFLINE = "offline-1";
/** As in shared.js. */
const SHARED = "shared-pictures";
const MAX_SHARED = 50;

const scope = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));

scope.addEventListener("install", (event) => {
  event.waitUntil(caches.open(OFFLINE).then((cache) => cache.add("/offline")));
  void scope.skipWaiting();
});

scope.addEventListener("activate", (event) => event.waitUntil(scope.clients.claim()));

scope.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode !== "navigate") return;
  const { pathname } = new URL(request.url);
  if (request.method === "POST" && pathname === "/share") event.respondWith(takeShared(request));
  else if (request.method === "GET" && pathname === "/") event.respondWith(showPage(request));
});

/** @param {Request} request @returns {Promise<Response>} */
async function showPage(request) {
  try {
    return await fetch(request);
  } catch {
    return (await caches.match("/offline")) ?? Response.error();
  }
}

/** Put the pictures where the page finds them, in place of those of an earlier time. @param {Request} request */
async function takeShared(request) {
  await caches.delete(SHARED);
  const cache = await caches.open(SHARED);
  const parts = (await request.formData()).getAll("pictures").slice(0, MAX_SHARED);
  for (const [index, file] of parts.entries()) {
    if (!(file instanceof File)) continue;
    const headers = { "Content-Type": file.type, "X-Name": encodeURIComponent(file.name) };
    await cache.put(`/shared/${String(index).padStart(2, "0")}`, new Response(file, { headers }));
  }
  return Response.redirect("/?shared", 303);
}

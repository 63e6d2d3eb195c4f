/**
 * The web worker that fetches a picture from another site. Its policy lets it ask https addresses and nothing else;
 * the page itself may ask its own site alone.
 *
 * In:  an address
 * Out: {name, type, parts} with the bytes, or {reason}, one of address.js's
 */

/** Larger than any picture that the page would show; a video can be saved and dropped. */
const MAX_BYTES = 64 * 1024 * 1024;
/** So long may nothing come. */
const PATIENCE_MS = 30_000;

addEventListener("message", async ({ data }) => {
  postMessage(await fetchPicture(data));
});

/** @param {string} address @returns {Promise<{type: string, parts: Uint8Array[]} | {reason: string}>} */
async function fetchPicture(address) {
  const patience = new AbortController();
  let timer = 0;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => patience.abort(), PATIENCE_MS);
  };
  wait();
  try {
    // Without cookies, and without saying where the question comes from.
    const response = await fetch(address, {
      credentials: "omit",
      referrerPolicy: "no-referrer",
      signal: patience.signal,
    });
    if (!response.ok) return { reason: "missing" };
    const type = (response.headers.get("Content-Type") ?? "").split(";")[0].trim().toLowerCase();
    if (/^(text\/|application\/(json|xhtml|xml))/.test(type)) return { reason: "page" };
    const parts = await readBytes(response, wait);
    return parts ? { type, parts } : { reason: "too_large" };
  } catch {
    return { reason: "blocked" };
  }
}

/** The bytes, or null if there are too many. @param {Response} response @param {() => void} came told when some have come @returns {Promise<Uint8Array[] | null>} */
async function readBytes(response, came) {
  const reader = response.body?.getReader();
  const parts = [];
  for (let size = 0; reader; ) {
    const { done, value } = await reader.read();
    if (done) break;
    came();
    size += value.length;
    if (size > MAX_BYTES) return null; // the page ends this worker, and the download with it
    parts.push(value);
  }
  return parts;
}

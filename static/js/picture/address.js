/**
 * An address → the picture that is there.
 *
 * The browser asks the other site itself, in a worker of its own; Kyara's server learns nothing of it. Most sites let
 * no other page read their pictures: then only the visitor can save it.
 */

import { settings } from "../page/messages.js";

const MAX_DATA_URL_CHARACTERS = 100e6;

/**
 * Why there is no picture.
 * `blocked`: the other site does not let us read it, or cannot be reached · `page`: something else is there ·
 * `missing`: it answered with an error · `too_large` · `invalid`: no address of a picture
 * @typedef {"blocked" | "page" | "missing" | "too_large" | "invalid"} Reason
 */

/** An address that led to no picture. */
export class AddressError extends Error {
  /** @param {Reason} reason */
  constructor(reason) {
    super(reason);
    this.name = "AddressError";
    this.reason = reason;
  }
}

/**
 * @param {string} address https, http (which is asked over https), or a data URL
 * @param {AbortSignal} signal gives up
 * @returns {Promise<File>} @throws {AddressError}
 */
export async function fetchPicture(address, signal) {
  if (/^data:/i.test(address)) return readDataUrl(address);
  const url = readUrl(address);
  const { reason, type, parts } = await askWorker(url.href, signal);
  if (reason) throw new AddressError(reason);
  return new File(parts, nameOf(url), { type });
}

/** @param {string} address @param {AbortSignal} signal @returns {Promise<any>} what the worker says */
async function askWorker(address, signal) {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const worker = new Worker(settings.urls.address_worker);
    const end = (/** @type {() => void} */ how) => () => {
      worker.terminate();
      how();
    };
    worker.addEventListener("message", ({ data }) => end(() => resolve(data))());
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      end(() => reject(new AddressError("blocked")))();
    });
    signal.addEventListener("abort", end(() => reject(signal.reason)));
    worker.postMessage(address);
  });
}

/** @param {string} address @returns {URL} */
function readUrl(address) {
  let url;
  try {
    url = new URL(address);
  } catch {
    throw new AddressError("invalid");
  }
  if (!/^https?:$/.test(url.protocol) || url.username || url.password) throw new AddressError("invalid");
  url.protocol = "https:"; // nothing is asked in the clear
  return url;
}

/** The last part of the path. @param {URL} url */
function nameOf(url) {
  const last = url.pathname.split("/").at(-1) ?? "";
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}

/** @param {string} address @returns {File} */
function readDataUrl(address) {
  if (address.length > MAX_DATA_URL_CHARACTERS) throw new AddressError("too_large");
  const found = /^data:([\w.+/-]*)((?:;[\w.+=-]*)*),/i.exec(address);
  if (!found) throw new AddressError("invalid");
  const [head, type, parameters] = found;
  try {
    const text = decodeURIComponent(address.slice(head.length));
    const isBase64 = /;base64$/i.test(parameters);
    return new File([isBase64 ? Uint8Array.from(atob(text), (one) => one.charCodeAt(0)) : text], "", { type });
  } catch {
    throw new AddressError("invalid");
  }
}

/**
 * What the operator's pages ask the server: JSON with the CSRF token of the page, and errors with the
 * sentence that the server gives.
 */

import { ConnectionError, ServerError, fetchAnswer, isAbort } from "../page/api.js";
import { say } from "../page/messages.js";

export { ConnectionError, ServerError, isAbort };

/** The CSRF token of this page. */
function readToken() {
  const meta = document.querySelector('meta[name="csrf-token"]');
  if (!(meta instanceof HTMLMetaElement)) throw new Error("The page has no CSRF token.");
  return meta.content;
}

/** @param {string} path @param {RequestInit} options @returns {Promise<Response>} as `fetchAnswer` */
function request(path, options) {
  const headers = new Headers(options.headers);
  headers.set("Accept", "application/json");
  headers.set("X-CSRFToken", readToken());
  return fetchAnswer(path, { ...options, headers });
}

/**
 * Ask, and read the JSON of the answer.
 *
 * @param {string} path @param {RequestInit} [options] @returns {Promise<any>}
 */
export async function ask(path, options = {}) {
  const response = await request(path, options);
  return response.status === 204 ? null : response.json();
}

/** Ask for a file. @param {string} path @returns {Promise<Blob>} */
export async function askFile(path) {
  return (await request(path, {})).blob();
}

/** @param {string} path @param {object} body @param {AbortSignal} [signal] @returns {Promise<any>} */
export function post(path, body, signal) {
  const headers = { "Content-Type": "application/json" };
  return ask(path, { method: "POST", headers, body: JSON.stringify(body), signal });
}

/** Send JSON, and get a file. @param {string} path @param {object} body @returns {Promise<Blob>} */
export async function postForFile(path, body) {
  const headers = { "Content-Type": "application/json" };
  return (await request(path, { method: "POST", headers, body: JSON.stringify(body) })).blob();
}

/**
 * What completes a name by asking the server.
 * @param {string} path @returns {(query: string, language: string, signal?: AbortSignal) => Promise<import("../page/api.js").Character[]>}
 */
export function findNamesAt(path) {
  return async (query, _language, signal) => {
    const parameters = new URLSearchParams({ query, limit: "8" });
    return (await ask(`${path}?${parameters}`, { signal })).characters;
  };
}

/** What an error is to a person. @param {unknown} error */
export function describeError(error) {
  if (error instanceof ConnectionError) return say("unreachable");
  if (error instanceof ServerError && error.status === 401) {
    return say("session_over_reload");
  }
  return error instanceof Error ? error.message : String(error);
}

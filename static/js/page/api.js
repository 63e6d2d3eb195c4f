/**
 * What the page asks the server, and the two ways in which it can fail.
 */

/** @typedef {{label: string, name: string, work: string, url?: string | null, confidence: number, similarity: number | null, mine?: boolean}} RankedAnswer `mine`: this browser was taught it */
/** @typedef {"known" | "probably" | "unknown"} Verdict `probably`: may well be right, and is no fact */
/** @typedef {{verdict: Verdict, answers: RankedAnswer[], error?: {detail: string}}} IdentifiedFace `error`: it cannot be read */
/** @typedef {{name: string, version: string}} Model */
/** @typedef {{model: Model, faces: IdentifiedFace[], took_ms: number}} Identification */
/** @typedef {{temperature: number, similarity_scale: number, gallery_weight: number, gated: boolean, weights: number[], familiarity_threshold: number | null, probable_threshold: number | null, alike_from: number | null}} Ranking what others can be ranked among the answers by */
/** @typedef {{verdict: Verdict, answers: (RankedAnswer & {score: number, references: number, prototype: number | null, headed: boolean})[], embedding: string, error?: {detail: string}}} EmbeddedFace */
/** @typedef {{model: Model & {network: string, ranking: Ranking | null}, faces: EmbeddedFace[]}} EmbeddedIdentification */
/** @typedef {{label: string, name: string, work: string}} Character */
/** @typedef {import("../faces/geometry.js").Box} Box */
/** @typedef {{label: string, name: string, similarity: number, thumbnail?: string}} Neighbour a reference face */
/** @typedef {{heatmap: string, label: string, strength: number, nearest: Neighbour[]}} Explanation */
/**
 * @typedef {object} Report
 * @property {string} crop data URL
 * @property {string} label
 * @property {string} token makes a repeat harmless
 * @property {string} [note]
 * @property {string} [predicted]
 * @property {number} [confidence]
 * @property {string} [model_version]
 * @property {Box} [box]
 */

/** The server answered, and said no. */
export class ServerError extends Error {
  /** @param {number} status @param {Record<string, any>} problem the server's answer @param {number} seconds of `Retry-After`, or NaN */
  constructor(status, problem, seconds) {
    super(String(problem.detail ?? problem.title ?? ""));
    this.name = "ServerError";
    this.status = status;
    this.problem = problem;
    /** @type {number | null} index of the crop at fault */
    this.crop = Number.isInteger(problem.crop) ? problem.crop : null;
    /** @type {number | null} seconds after which the server wants to be asked again */
    this.retryAfter = Number.isFinite(seconds) ? seconds : null;
  }

  /** Whether the same request may well succeed later. */
  get mayPass() {
    return [429, 502, 503, 504].includes(this.status);
  }

  /** Whether this address has asked too often: only time helps. */
  get isLimited() {
    return this.status === 429;
  }

  /** Whether the server said when to come back. */
  get isBusy() {
    return this.mayPass && this.retryAfter !== null;
  }
}

/** No answer came: no connection, or nobody at the other end. */
export class ConnectionError extends Error {
  constructor() {
    super("no connection");
    this.name = "ConnectionError";
  }
}

/** @param {unknown} error */
export const isAbort = (error) => error instanceof DOMException && error.name === "AbortError";

/**
 * @param {string} path @param {RequestInit} [options] @returns {Promise<Response>} an answer that is no error
 * @throws {ServerError | ConnectionError} or the error of an abort
 */
export async function fetchAnswer(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ConnectionError();
  }
  if (response.ok) return response;
  const problem = (await response.json().catch(() => null)) ?? {};
  const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  throw new ServerError(response.status, problem, seconds);
}

/** @param {string} path @param {RequestInit} [options] @returns {Promise<any>} */
async function request(path, options) {
  const response = await fetchAnswer(path, options);
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ConnectionError(); // it was lost on the way, or somebody else has answered
  }
}

/** @param {string} path @param {object} body @param {AbortSignal} [signal] */
function post(path, body, signal) {
  const headers = { "Content-Type": "application/json" };
  return request(path, { method: "POST", headers, body: JSON.stringify(body), signal });
}

/**
 * @param {string[]} crops data URLs, 1 to 32 @param {string} language @param {AbortSignal} [signal]
 * @returns {Promise<Identification>}
 */
export function identify(crops, language, signal) {
  return post("/api/identify", { crops, top_k: 5, language }, signal);
}

/**
 * Ask for the embeddings of the crops, too.
 * @param {string[]} crops data URLs, 1 to 32 @param {string} language @param {AbortSignal} [signal]
 * @returns {Promise<EmbeddedIdentification>}
 */
export function identifyEmbedded(crops, language, signal) {
  return post("/api/identify", { crops, top_k: 5, language, embeddings: true }, signal);
}

/**
 * @param {{crop: string, label: string, method: string, language: string}} question
 * @param {AbortSignal} signal
 * @returns {Promise<Explanation>}
 */
export function explain(question, signal) {
  return post("/api/explain", question, signal);
}

/**
 * @param {string} query @param {string} language @param {AbortSignal} [signal] @param {{whole?: "true"}} [more]
 * @returns {Promise<Character[]>}
 */
export async function findCharacters(query, language, signal, more = {}) {
  const parameters = new URLSearchParams({ query, language, limit: "8", ...more });
  const found = await request(`/api/characters?${parameters}`, { signal });
  return found.characters;
}

/**
 * Those whose whole name it is, in any language and order of words.
 * @param {string} query @param {string} language @param {AbortSignal} [signal]
 * @returns {Promise<Character[]>}
 */
export function findNamesakes(query, language, signal) {
  return findCharacters(query, language, signal, { whole: "true" });
}

/** @param {Report} report @returns {Promise<{id: string | number, status: string}>} */
export function sendReport(report) {
  return post("/api/reports", report);
}

/** @param {string | number} id @param {string} token */
export function withdrawReport(id, token) {
  const parameters = new URLSearchParams({ token });
  return request(`/api/reports/${encodeURIComponent(id)}?${parameters}`, { method: "DELETE" });
}

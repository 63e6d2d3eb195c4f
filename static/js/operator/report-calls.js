/**
 * What the page of reports asks the server, and what it gets.
 */

import { ask, post } from "./api.js";

/** @typedef {{label: string, name: string, similarity: number, picture: string | null}} Reference */
/** @typedef {import("../page/api.js").Character} Character */
/**
 * @typedef {object} Report
 * @property {string} id
 * @property {number} revision
 * @property {"pending" | "accepted" | "rejected" | "withdrawn"} state
 * @property {string} said
 * @property {string} said_name
 * @property {string | null} meant
 * @property {boolean} acceptable
 * @property {string | null} predicted
 * @property {string | null} predicted_name
 * @property {number | null} confidence
 * @property {string | null} model_version
 * @property {string | null} note
 * @property {number} count
 * @property {string} created_at
 * @property {string | null} reviewed_label
 * @property {string | null} reviewed_name
 * @property {string | null} reviewed_by
 * @property {string | null} reviewed_at
 * @property {boolean} file_missing
 * @property {string} crop
 * @property {string[]} senders
 * @property {{said: string, name: string, count: number}[]} others
 * @property {number} agreeing
 * @property {boolean} quorum
 * @property {("flood" | "far" | "torn")[]} marks
 * @property {"known" | "unknown"} [verdict]
 * @property {{label: string, name: string, confidence: number}[]} [answers]
 * @property {number | null} [similarity]
 * @property {Reference[]} [references]
 * @property {Reference[]} [nearest]
 */
/** @typedef {Record<string, number>} Counts */
/** @typedef {{reports: Report[], total: number, counts: Counts, vote: boolean}} Queue */
/** @typedef {{state: string, label: string | null, sender: string | null}} Filter */
/** @typedef {{operator: string, action: string, at: string, after: {state: string, label: string | null}, undone: boolean}} Review */
/** @typedef {"accept" | "correct" | "new" | "reject" | "not_a_face" | "reopen"} Action */

const ROOT = "/operator/reports";

/** The filter as an address has it. @param {Filter} filter */
export function writeFilter({ state, label, sender }) {
  const parameters = new URLSearchParams({ state });
  if (label !== null) parameters.set("label", label);
  if (sender !== null) parameters.set("sender", sender);
  return parameters;
}

/** @param {Filter} filter @param {number} offset @param {number} limit @returns {Promise<Queue>} */
export function fetchQueue(filter, offset, limit) {
  const parameters = writeFilter(filter);
  parameters.set("offset", String(offset));
  parameters.set("limit", String(limit));
  return ask(`${ROOT}/queue?${parameters}`);
}

/** @param {string} id @param {AbortSignal} signal @returns {Promise<Review[]>} */
export async function fetchHistory(id, signal) {
  return (await ask(`${ROOT}/${id}/history`, { signal })).history;
}

/**
 * @param {Report[]} reports @param {Action} action @param {{label?: string, name?: Record<string, string>}} [more]
 * @returns {Promise<{reports: Report[], counts: Counts}>}
 */
export function decide(reports, action, more = {}) {
  const seen = reports.map(({ id, revision }) => ({ id, revision }));
  return post(`${ROOT}/decide`, { reports: seen, action, step: crypto.randomUUID(), ...more });
}

/** @returns {Promise<{reports: Report[], counts: Counts, step: string}>} */
export function undoLast() {
  return post(`${ROOT}/undo`, {});
}

/** @param {{ids?: string[], label?: string, sender?: string}} choice @returns {Promise<{deleted: string[], counts: Counts}>} */
export function deleteReports(choice) {
  return post(`${ROOT}/delete`, choice);
}

/** @param {boolean} on @returns {Promise<{vote: boolean, accepted: string[], counts: Counts}>} */
export function switchVote(on) {
  return post(`${ROOT}/vote`, { on });
}

/** @param {string} query @param {AbortSignal} [signal] @returns {Promise<Character[]>} */
export async function findKnown(query, signal) {
  const parameters = new URLSearchParams({ query });
  return (await ask(`/operator/characters/search?${parameters}`, { signal })).characters;
}

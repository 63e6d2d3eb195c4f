/**
 * What the review page asks the server, and what it gets: reports become items beside collected faces.
 */

import { ask, post } from "./api.js";
import { REJECTED } from "./review-state.js";

/** @typedef {{label: string, name: string, similarity: number, picture: string | null}} Reference */
/** @typedef {import("./review-state.js").Action} Action */
/** @typedef {import("./review-state.js").FaceJson} FaceJson */
/** @typedef {import("./review-state.js").Name} Name */
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
 * @property {("flood" | "outlier" | "conflicting")[]} marks
 * @property {import("../page/api.js").Verdict} [verdict]
 * @property {{label: string, name: string, confidence: number}[]} [answers]
 * @property {number | null} [similarity]
 * @property {Reference[]} [references]
 * @property {Reference[]} [nearest]
 */
/** @typedef {Record<string, number>} Counts */
/** @typedef {{reports: Report[], total: number, counts: Counts, vote: boolean}} Queue */
/** @typedef {{state: string, label: string | null, sender: string | null}} Filter */
/** @typedef {{operator: string, action: string, at: string, after: {state: string, label: string | null}, undone: boolean}} Review */

const REPORTS = "/operator/reports";

/** The filter as an address has it. @param {Filter} filter */
export function writeFilter({ state, label, sender }) {
  const parameters = new URLSearchParams({ state });
  if (label !== null) parameters.set("label", label);
  if (sender !== null) parameters.set("sender", sender);
  return parameters;
}

/** @param {Filter} filter @param {number} offset @param {number} limit @returns {Promise<Queue>} */
export function fetchReports(filter, offset, limit) {
  const parameters = writeFilter(filter);
  parameters.set("offset", String(offset));
  parameters.set("limit", String(limit));
  return ask(`${REPORTS}/queue?${parameters}`);
}

/** One's own steps that can be undone, the newest last. @returns {Promise<import("./review-state.js").Done[]>} */
export async function fetchHistory() {
  return (await ask("/operator/review/history")).history;
}

/** @param {string} id @param {AbortSignal} signal @returns {Promise<Review[]>} */
export async function fetchReviews(id, signal) {
  return (await ask(`${REPORTS}/${id}/history`, { signal })).history;
}

/** @param {Action} action @returns {Promise<any>} */
export function send(action) {
  const { id } = action;
  if (action.kind === "undo") {
    const { undoes, reports } = action;
    return reports ? post(`${REPORTS}/undo`, { step: undoes }) : post("/operator/label/undo", { action: id, undoes });
  }
  const { faces, label, decision, known = false } = action;
  if (!decision) return post("/operator/label/decisions", { action: id, faces, label, known });
  const reports = Object.entries(faces).map(([report, revision]) => ({ id: report, revision: Number(revision) }));
  return post(`${REPORTS}/decide`, { reports, action: decision, step: id, known, label: decision === "correct" ? label : null });
}

/** @param {{ids?: string[], label?: string, sender?: string}} choice @returns {Promise<{deleted: string[], counts: Counts}>} */
export function deleteReports(choice) {
  return post(`${REPORTS}/delete`, choice);
}

/** @param {boolean} on @returns {Promise<{vote: boolean, accepted: string[], counts: Counts}>} */
export function switchVote(on) {
  return post(`${REPORTS}/vote`, { on });
}

/** A report as an item of the page. @param {Report} report @returns {FaceJson} */
export function toItem(report) {
  const given = report.state === "rejected" ? (report.reviewed_label ?? REJECTED) : report.reviewed_label;
  return {
    id: report.id,
    label: report.state === "pending" ? null : given,
    version: String(report.revision),
    operator: report.reviewed_by ?? "",
    kind: "report",
    group: "",
    answers: (report.answers ?? []).map(({ label, confidence }) => [label, confidence]),
    source: "",
    time_s: null,
    report,
  };
}

/** What reports call those whom they name. @param {Report[]} reports @returns {Record<string, Name>} */
export function listNames(reports) {
  /** @type {[string | null, string | null][]} */
  const pairs = reports.flatMap((report) => [
    [report.meant ?? report.said, report.said_name],
    [report.reviewed_label, report.reviewed_name],
    ...(report.answers ?? []).map(({ label, name }) => /** @type {[string, string]} */ ([label, name])),
  ]);
  return Object.fromEntries(pairs.filter(([label]) => label !== null).map(([label, name]) => [label, { name: name ?? "", work: "" }]));
}

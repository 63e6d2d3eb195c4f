/**
 * What there is to know of a report: who said what, the nearest references, the history.
 */

import { isAbort } from "./api.js";
import { byId, copyTemplate, part } from "../page/elements.js";
import { sayPercent } from "../page/messages.js";
import { fetchReviews } from "./review-calls.js";

/** @typedef {import("./review-calls.js").Report} Report */
/** @typedef {import("./review-calls.js").Reference} Reference */

/** What a mark means. */
export const MARKS = {
  flood: ["flood", "A sender behind it sent more than twenty reports within an hour."],
  outlier: ["outlier", "The label is far from what the features say, or has no references to compare with."],
  conflicting: ["conflicting", "The same picture was reported with other labels."],
};

/** @type {AbortController | null} */
let asking = null;

/** @param {Report} report @param {(filter: {label?: string, sender?: string}) => void} narrow */
export function showDetail(report, narrow) {
  fill("detail-said", [
    makeLink(report.said, () => narrow({ label: report.said })),
    report.meant === null || report.meant === report.said ? "" : ` means ${report.meant}`,
    report.acceptable ? "" : " · nobody who is known",
    ` · ${report.count === 1 ? "once" : `${report.count} times`}, ${countSenders(report)}`,
  ]);
  const sure = report.confidence === null ? "" : `, ${sayPercent(report.confidence)}`;
  const version = report.model_version ? ` · ${report.model_version}` : "";
  fill("detail-predicted", [report.predicted ? `${report.predicted_name}${sure}${version}` : "nothing"]);
  const who = report.reviewed_label ? ` as ${report.reviewed_name}` : "";
  const by = report.reviewed_by ? ` by ${report.reviewed_by}, ${sayTime(report.reviewed_at)}` : "";
  fill("detail-reviewed", [`${report.state}${who}${by}`]);
  fill("detail-sent", [sayTime(report.created_at), ...listSenders(report, narrow)]);
  const others = report.others.map(({ name, count }) => `${name} (${count})`).join(", ");
  const quorum = report.quorum ? " · enough senders agree" : ` · ${report.agreeing} known senders agree`;
  fill("detail-others", [others || "nobody says otherwise", quorum]);
  fill("detail-note", [report.note ?? "none"]);
  showMarks(byId("detail-marks", HTMLElement), report);
  showReferences("detail-references", report.references ?? []);
  showReferences("detail-nearest", report.nearest ?? []);
  void showHistory(report);
}

/** @param {string} id @param {(string | Node)[]} parts */
function fill(id, parts) {
  byId(id, HTMLElement).replaceChildren(...parts);
}

/** @param {Report} report */
function countSenders({ senders }) {
  if (senders.length === 0) return "sender unknown";
  return senders.length === 1 ? "one sender" : `${senders.length} senders`;
}

/** @param {Report} report @param {(filter: {sender: string}) => void} narrow */
function listSenders({ senders }, narrow) {
  return senders.slice(0, 5).flatMap((sender) => [
    " · ",
    makeLink(`sender ${sender.slice(0, 6)}`, () => narrow({ sender })),
  ]);
}

/** @param {string} text @param {() => void} act */
function makeLink(text, act) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn btn-link p-0 border-0 align-baseline";
  button.textContent = text;
  button.title = "Show only these reports";
  button.addEventListener("click", act);
  return button;
}

/** @param {HTMLElement} list @param {Report} report */
function showMarks(list, { marks }) {
  list.replaceChildren(
    ...marks.map((mark) => {
      const item = document.createElement("li");
      item.className = "badge bg-danger-subtle text-danger-emphasis text-start text-wrap lh-base";
      item.textContent = `${MARKS[mark][0]}: ${MARKS[mark][1]}`;
      return item;
    }),
  );
}

/** @param {string} id @param {Reference[]} references */
function showReferences(id, references) {
  const items = references.map(({ name, similarity, picture }) => {
    const item = copyTemplate("reference-template");
    part(item, ".reference-name").textContent = name;
    part(item, ".reference-similarity").textContent = similarity.toFixed(2);
    const image = part(item, ".crop");
    if (picture && image instanceof HTMLImageElement) {
      image.src = picture;
      image.hidden = false;
    }
    return item;
  });
  const list = byId(id, HTMLElement);
  list.replaceChildren(...items);
  if (items.length === 0) list.append("none");
}

/** @param {Report} report */
async function showHistory(report) {
  asking?.abort();
  asking = new AbortController();
  const list = byId("detail-history", HTMLElement);
  list.replaceChildren();
  try {
    for (const review of await fetchReviews(report.id, asking.signal)) {
      const item = document.createElement("li");
      const label = review.after.label ? ` as ${review.after.label}` : "";
      const taken = review.undone ? " (undone)" : "";
      const what = review.action.replaceAll("_", " ");
      item.textContent = `${sayTime(review.at)} · ${review.operator} · ${what} → ${review.after.state}${label}${taken}`;
      list.append(item);
    }
    if (list.childElementCount === 0) list.append("nothing was decided yet");
  } catch (error) {
    if (!isAbort(error)) list.append("The history cannot be shown.");
  }
}

/** @param {string | null} time */
function sayTime(time) {
  return time === null ? "" : new Date(time).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

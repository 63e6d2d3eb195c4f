/**
 * What there is to know of a report: who said what, the nearest references, the history.
 */

import { isAbort } from "./api.js";
import { byId, copyTemplate, part } from "../page/elements.js";
import { say, sayPercent, settings } from "../page/messages.js";
import { fetchReviews } from "./review-calls.js";

/** @typedef {import("./review-calls.js").Report} Report */
/** @typedef {import("./review-calls.js").Reference} Reference */

/** What a mark is called, and what it means. */
const MARKS = {
  flood: [say("mark_flood"), say("mark_flood_means")],
  outlier: [say("mark_outlier"), say("mark_outlier_means")],
  conflicting: [say("mark_conflicting"), say("mark_conflicting_means")],
};

/** @param {keyof typeof MARKS} mark */
export const nameMark = (mark) => MARKS[mark][0];

/** @type {AbortController | null} */
let asking = null;

/** @param {Report} report @param {(filter: {label?: string, sender?: string}) => void} narrow */
export function showDetail(report, narrow) {
  fill("detail-said", [
    makeLink(report.said, () => narrow({ label: report.said })),
    report.meant === null || report.meant === report.said ? "" : ` ${say("means", { name: report.meant })}`,
    report.acceptable ? "" : ` · ${say("nobody_known")}`,
    ` · ${say("times", { count: report.count })}, ${countSenders(report)}`,
  ]);
  const sure = report.confidence === null ? "" : `, ${sayPercent(report.confidence)}`;
  const version = report.model_version ? ` · ${report.model_version}` : "";
  fill("detail-predicted", [report.predicted ? `${report.predicted_name}${sure}${version}` : say("nothing")]);
  const who = report.reviewed_label ? [say("as_name", { name: report.reviewed_name ?? "" })] : [];
  const by = report.reviewed_by ? [say("by_name", { name: report.reviewed_by }), sayTime(report.reviewed_at)] : [];
  fill("detail-reviewed", [[nameState(report.state), ...who, ...by].join(" · ")]);
  fill("detail-sent", [sayTime(report.created_at), ...listSenders(report, narrow)]);
  const others = report.others.map(({ name, count }) => `${name} (${count})`).join(", ");
  const quorum = report.quorum ? say("quorum") : say("senders_agree", { count: report.agreeing });
  fill("detail-others", [others || say("nobody_else"), ` · ${quorum}`]);
  fill("detail-note", [report.note ?? say("none")]);
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
  return senders.length === 0 ? say("sender_unknown") : say("senders", { count: senders.length });
}

/** @param {Report} report @param {(filter: {sender: string}) => void} narrow */
function listSenders({ senders }, narrow) {
  return senders.slice(0, 5).flatMap((sender) => [
    " · ",
    makeLink(say("sender", { name: sender.slice(0, 6) }), () => narrow({ sender })),
  ]);
}

/** @param {string} text @param {() => void} act */
function makeLink(text, act) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn btn-link p-0 border-0 align-baseline";
  button.textContent = text;
  button.title = say("only_these");
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
  if (items.length === 0) list.append(createLine(say("none")));
}

/** @param {Report} report */
async function showHistory(report) {
  asking?.abort();
  asking = new AbortController();
  const list = byId("detail-history", HTMLElement);
  list.replaceChildren();
  try {
    for (const review of await fetchReviews(report.id, asking.signal)) {
      const label = review.after.label ? ` (${review.after.label})` : "";
      const taken = review.undone ? ` · ${say("was_undone")}` : "";
      list.append(createLine(`${sayTime(review.at)} · ${review.operator} · ${nameState(review.after.state)}${label}${taken}`));
    }
    if (list.childElementCount === 0) list.append(createLine(say("nothing_decided")));
  } catch (error) {
    if (!isAbort(error)) list.append(createLine(say("no_history")));
  }
}

/** @param {string} text */
function createLine(text) {
  const item = document.createElement("li");
  item.textContent = text;
  return item;
}

/** A state as the list of states calls it. @param {string} state */
function nameState(state) {
  const option = byId("filter-state", HTMLSelectElement).querySelector(`option[value="${CSS.escape(state)}"]`);
  return option instanceof HTMLOptionElement ? (option.dataset.words ?? option.text) : state;
}

/** @param {string | null} time */
function sayTime(time) {
  return time === null ? "" : new Date(time).toLocaleString(settings.locale, { dateStyle: "medium", timeStyle: "short" });
}

/**
 * The page of reports: keys and buttons decide, the queue moves on, a step can be undone.
 */

import { describeError } from "./api.js";
import { byId } from "../page/elements.js";
import { announce } from "../page/status.js";
import { NameDialog } from "./name-dialog.js";
import { decide, deleteReports, fetchQueue, switchVote, undoLast, writeFilter } from "./report-calls.js";
import { showDetail } from "./report-detail.js";
import { QueueView } from "./report-queue-view.js";

/** @typedef {import("./report-calls.js").Report} Report */
/** @typedef {import("./report-calls.js").Action} Action */
/** @typedef {import("./report-calls.js").Filter} Filter */

const PAGE_REPORTS = 24;
/** @type {Record<string, Action>} */
const ACTION_KEYS = { a: "accept", c: "correct", r: "reject", x: "not_a_face", n: "new", o: "reopen" };
const STEPS = { ArrowDown: 1, ArrowRight: 1, j: 1, ArrowUp: -1, ArrowLeft: -1, k: -1 };

const address = new URLSearchParams(location.search);
/** @type {Filter} */
const filter = {
  state: address.get("state") ?? "pending",
  label: address.get("label"),
  sender: address.get("sender"),
};
let offset = 0;
let total = 0;
let busy = false;

const queue = new QueueView(showCurrent);
const names = new NameDialog();

/** @param {string} text @param {"info" | "done" | "error"} kind */
function tell(text, kind = "done") {
  const line = byId("line", HTMLElement);
  line.textContent = text;
  line.dataset.kind = kind;
}

/** Do one thing after the other, and say what went wrong. @param {() => Promise<void>} work */
async function attempt(work) {
  if (busy) return;
  busy = true;
  try {
    await work();
  } catch (error) {
    tell(describeError(error), "error");
  } finally {
    busy = false;
  }
}

function showCurrent() {
  const { current, selected } = queue;
  byId("detail", HTMLElement).hidden = current === null;
  if (current) showDetail(current, narrow);
  const count = selected.size > 0 ? `${selected.size} selected of ${total}` : String(total);
  byId("queue-count", HTMLElement).textContent = count;
}

/** @param {string | null} [lookAt] */
async function load(lookAt = null) {
  const found = await fetchQueue(filter, offset, PAGE_REPORTS);
  total = found.total;
  byId("vote", HTMLInputElement).checked = found.vote;
  byId("review", HTMLElement).hidden = found.reports.length === 0;
  showFilter(found.counts);
  queue.show(found.reports, lookAt);
  byId("earlier", HTMLButtonElement).disabled = offset === 0;
  byId("later", HTMLButtonElement).disabled = offset + PAGE_REPORTS >= total;
}

/** @param {Record<string, number>} counts */
function showFilter(counts) {
  const select = byId("filter-state", HTMLSelectElement);
  for (const option of select.options) {
    const count = counts[option.value];
    option.textContent = count === undefined ? option.value : `${option.value} (${count})`;
  }
  select.value = filter.state;
  const words = filter.label !== null ? `“${filter.label}”` : `sender ${filter.sender?.slice(0, 6)}`;
  byId("filter-chip", HTMLElement).hidden = filter.label === null && filter.sender === null;
  byId("filter-words", HTMLElement).textContent = words;
  byId("export", HTMLAnchorElement).search = String(writeFilter(filter));
  history.replaceState(null, "", `?${writeFilter(filter)}`);
}

/** @param {{label?: string, sender?: string}} to */
function narrow({ label, sender }) {
  Object.assign(filter, { label: label ?? null, sender: sender ?? null });
  offset = 0;
  void reload();
}

/** @param {string | null} [lookAt] */
function reload(lookAt = null) {
  return attempt(async () => {
    await load(lookAt);
    tell(queue.reports.length > 0 ? "A key decides about this report, or about all selected ones." : "No report here.", "info");
  });
}

/** @param {Report} report */
const stays = (report) => filter.state === "all" || report.state === filter.state;

/** @param {Action} action @param {{label?: string, name?: Record<string, string>}} [more] */
function take(action, more = {}) {
  return attempt(async () => {
    const chosen = queue.chosen;
    if (chosen.length === 0) return;
    const done = await decide(chosen, action, more);
    queue.update(done.reports, stays);
    total -= done.reports.filter((report) => !stays(report)).length;
    const [{ state, reviewed_name: name }] = done.reports;
    const what = `${chosen.length === 1 ? "One report" : `${chosen.length} reports`} ${state}${name ? ` as ${name}` : ""}. Z undoes it.`;
    tell(what);
    if (queue.reports.length === 0) await load();
    showFilter(done.counts);
    showCurrent();
  });
}

/** @param {Action} action */
async function askAndTake(action) {
  const { current, chosen } = queue;
  if (current === null) return;
  if (action !== "correct" && action !== "new") return take(action);
  const about = chosen.length === 1 ? "this one" : `these ${chosen.length}`;
  const isNew = action === "new";
  const suggested = (current.answers ?? []).map(({ label, name }) => ({ label, name, work: "" }));
  const title = isNew ? `Who is ${about}? Someone new:` : `Who is ${about}?`;
  const named = await names.ask(title, { isNew, name: isNew && !current.meant ? current.said_name : "", suggested });
  if (named) await take(action, named);
}

function undo() {
  return attempt(async () => {
    const { reports } = await undoLast();
    const shown = reports.filter(stays);
    await load(shown[0]?.id ?? null);
    const where = shown.length > 0 ? "" : `; they are under “${reports[0]?.state}”`;
    tell(`Undone for ${reports.length === 1 ? "one report" : `${reports.length} reports`}${where}.`);
  });
}

function askToDelete() {
  const { current, chosen } = queue;
  if (current === null) return;
  const [sender] = current.senders;
  const choices = [
    { text: chosen.length === 1 ? "this report" : `these ${chosen.length} reports`, choice: { ids: chosen.map(({ id }) => id) } },
    { text: `every report that says “${current.said}”`, choice: { label: current.said } },
    ...(sender ? [{ text: `everything that sender ${sender.slice(0, 6)} sent`, choice: { sender } }] : []),
  ];
  const form = byId("delete-choices", HTMLElement);
  form.replaceChildren(
    ...choices.map(({ text }, place) => {
      const label = document.createElement("label");
      const input = Object.assign(document.createElement("input"), { type: "radio", name: "what", value: String(place), checked: place === 0, className: "form-check-input" });
      label.className = "form-check-label";
      label.append(input, ` ${text}`);
      return label;
    }),
  );
  const dialog = byId("delete-dialog", HTMLDialogElement);
  byId("delete-form", HTMLFormElement).onsubmit = () => {
    const chosenInput = form.querySelector("input:checked");
    const place = chosenInput instanceof HTMLInputElement ? Number(chosenInput.value) : 0;
    void attempt(async () => {
      const { deleted } = await deleteReports(choices[place].choice);
      await load();
      tell(`Deleted: ${deleted.length === 1 ? "one report" : `${deleted.length} reports`}.`);
    });
  };
  dialog.showModal();
}

/** @param {number} place of an answer */
function takeAnswer(place) {
  const answer = queue.current?.answers?.[place];
  if (answer) void take("correct", { label: answer.label });
}

/** @param {KeyboardEvent} event */
function handleKey(event) {
  if (document.querySelector("dialog[open]") || event.isComposing || event.altKey) return;
  const target = event.target;
  if (target instanceof HTMLElement && target.closest("input, select, textarea")) return;
  const { key } = event;
  const lower = key.length === 1 ? key.toLowerCase() : key;
  if (event.ctrlKey || event.metaKey) {
    if (lower !== "a") return;
    queue.select(true);
  } else if (lower in STEPS) queue.move(STEPS[/** @type {keyof typeof STEPS} */ (lower)], event.shiftKey);
  else if (lower in ACTION_KEYS) void askAndTake(ACTION_KEYS[lower]);
  else if (/^[1-5]$/.test(key)) takeAnswer(Number(key) - 1);
  else if (lower === "z") void undo();
  else if (lower === "s" || (key === " " && isInQueue(target))) queue.toggle();
  else if (key === "Escape") queue.select(false);
  else if (key === "Delete") askToDelete();
  else if (key === "?") byId("help-dialog", HTMLDialogElement).showModal();
  else return;
  event.preventDefault();
}

/** @param {EventTarget | null} target */
function isInQueue(target) {
  return target === document.body || (target instanceof Element && target.closest(".queue") !== null);
}

/** @param {string} id @param {() => void} act */
function onClick(id, act) {
  byId(id, HTMLButtonElement).addEventListener("click", act);
}

for (const button of document.querySelectorAll("[data-action]")) {
  if (button instanceof HTMLElement) {
    button.addEventListener("click", () => void askAndTake(/** @type {Action} */ (button.dataset.action)));
  }
}
onClick("undo", () => void undo());
onClick("delete", askToDelete);
onClick("delete-cancel", () => byId("delete-dialog", HTMLDialogElement).close());
onClick("help", () => byId("help-dialog", HTMLDialogElement).showModal());
onClick("select-all", () => queue.select(queue.selected.size < queue.reports.length));
onClick("filter-clear", () => narrow({}));
onClick("earlier", () => turnPage(-PAGE_REPORTS));
onClick("later", () => turnPage(PAGE_REPORTS));
byId("filter-state", HTMLSelectElement).addEventListener("change", (event) => {
  filter.state = /** @type {HTMLSelectElement} */ (event.currentTarget).value;
  offset = 0;
  void reload();
});
byId("vote", HTMLInputElement).addEventListener("change", (event) => {
  const { checked } = /** @type {HTMLInputElement} */ (event.currentTarget);
  void attempt(async () => {
    const { vote, accepted } = await switchVote(checked);
    await load();
    tell(vote ? `Visitors vote. Accepted at once: ${accepted.length}.` : "Visitors do not vote; you decide.");
    announce(vote ? "The vote is on" : "The vote is off");
  });
});
document.addEventListener("keydown", handleKey);

/** @param {number} by */
function turnPage(by) {
  offset = Math.max(0, offset + by);
  void reload();
}

await reload();
document.documentElement.dataset.ready = "";

/**
 * The review page: reports, and collected faces that the model has arranged, decided by keyboard. What it
 * shows as saved the server has confirmed.
 */

import { byId } from "../page/elements.js";
import { say } from "../page/messages.js";
import { announce } from "../page/status.js";
import { ask, describeError } from "./api.js";
import { Counts } from "./review-counts.js";
import { KnownNow } from "./known-now.js";
import { Inbox } from "./review-inbox.js";
import { listenToKeys } from "./review-keys.js";
import { Names } from "./review-names.js";
import { Panel } from "./review-panel.js";
import { ActionQueue } from "./review-queue.js";
import { ReviewState, NOT_A_FACE, NOT_LISTED, REJECTED } from "./review-state.js";
import { ModelNotice } from "./model-notice.js";
import { ReportControls } from "./report-controls.js";
import { fetchHistory, listNames, send, toItem } from "./review-calls.js";

/** @typedef {import("./review-state.js").Action} Action */
/** @typedef {import("./review-state.js").Decision} Decision */
/** @typedef {import("./review-state.js").FaceJson} FaceJson */
/** @typedef {import("./review-calls.js").Report} Report */

const { kind } = byId("review-page", HTMLElement).dataset;
const operator = document.getElementById("operator-name")?.textContent ?? "";
const state = new ReviewState();
const inbox = new Inbox(state);
const counts = new Counts(state);
const queue = new ActionQueue(`labels of ${operator}`, send, handleConfirmed, handleRefused);
const notice = new ModelNotice(load);
const reports = kind === "faces" ? null : new ReportControls((text) => notice.tell(text), attempt, load);
const panel = new Panel(state, (label) => decide(state.targets, label), (filter) => reports?.narrow(filter));
const names = new Names((character) => takeCharacter(character, state.targets), () => inbox.reveal());
const knownNow = new KnownNow((text) => notice.tell(text), (text) => notice.warn(text));
const undoButton = byId("label-undo", HTMLButtonElement);
const saved = byId("label-saved", HTMLElement);

/** Do something, and say what went wrong. @param {() => Promise<void>} work */
function attempt(work) {
  work().catch((error) => notice.warn(describeError(error)));
}

/** @param {any} answer of the server @returns {FaceJson[]} the items that it tells of */
function readItems({ faces = [], reports: changed = [] }) {
  const entries = /** @type {Report[]} */ (changed);
  state.learnNames(listNames(entries));
  return [...faces, ...entries.map((entry) => toItem({ ...state.faces.get(entry.id)?.confirmed.report, ...entry }))];
}

/** @param {Action} action @param {import("./review-queue.js").Answer} answer */
function handleConfirmed(action, answer) {
  state.learnNames(answer.names ?? {});
  const items = readItems(answer);
  if (action.kind === "undo" && action.reports && items.some(({ id }) => !state.faces.has(id))) void load();
  else state.confirm(action, items);
  counts.update(answer.characters ?? []);
  if (answer.counts) reports?.showCounts(answer.counts);
  knownNow.tell(answer);
}

/** @param {Action} action @param {import("../page/api.js").ServerError} error */
function handleRefused(action, error) {
  state.learnNames(error.problem.names ?? {});
  const changed = readItems(error.problem);
  const rest = state.refuse(action, error.message, changed);
  const others = [...new Set(changed.map(({ operator }) => operator))].filter(Boolean);
  notice.warn(others.length > 0 ? say("labelled_meanwhile", { count: changed.length, name: others.join(", ") }) : error.message);
  if (rest.length > 0 && action.kind === "label") decide(rest, action.label, action.decision, action.known);
}

/**
 * Decide about faces, about reports, or about both; each kind is a step of its own.
 * @param {string[]} ids @param {string | null} label @param {Decision} [decision] about reports only
 * @param {boolean} [known] whether whom they show is known from now on
 */
function decide(ids, label, decision, known = knownNow.on) {
  const isReport = (/** @type {string} */ id) => state.faces.get(id)?.confirmed.report !== undefined;
  const plain = label === null ? "reopen" : label === NOT_A_FACE ? "not_a_face" : "correct";
  const actions = [
    decision ? null : state.decide(ids.filter((id) => !isReport(id)), label),
    state.decide(ids.filter(isReport), label, decision ?? plain),
  ];
  for (const action of actions) {
    if (action === null) continue;
    if (known) action.known = true;
    queue.add(action);
    const [first, ...more] = Object.keys(action.faces);
    const { name } = state.nameOf(state.faces.get(first)?.label ?? null);
    announce(`${name || say("no_label")}: ${say("faces", { count: more.length + 1 })}`);
  }
}

/** @param {import("../page/api.js").Character} character @param {string[]} targets @param {boolean} [known] */
function takeCharacter({ label, name, work }, targets, known) {
  state.learnNames({ [label]: { name, work } });
  decide(targets, label, undefined, known);
}

/** Accept what visitors said; where that is a new name, ask for the character. @param {boolean} [known] */
function accept(known) {
  const said = (/** @type {string} */ id) => state.faces.get(id)?.confirmed.report;
  const news = state.targets.filter((id) => said(id)?.acceptable === false);
  const [first] = news;
  decide(state.targets.filter((id) => !news.includes(id)), null, "accept", known);
  if (first === undefined) return;
  const word = said(first)?.said ?? "";
  const same = news.filter((id) => said(id)?.said === word);
  names.askNew(word === NOT_LISTED ? "" : word, (character) => takeCharacter(character, same, known));
}
const reject = () => decide(state.targets, REJECTED, "reject");
const takeAway = () => decide(state.targets, null);

function remove() {
  const report = state.faces.get(state.targets[0])?.confirmed.report;
  if (report === undefined) takeAway();
  else reports?.askToDelete(report, state.targets.filter((id) => state.faces.get(id)?.confirmed.report));
}

/** @param {number} number @param {boolean} all */
function takeNumber(number, all) {
  const candidate = state.candidates()[number];
  if (candidate) decide(aim(all), candidate.label);
}

function undo() {
  const action = state.undo();
  if (!action) {
    if (queue.length === 0) void load(); // the server may know of older ones
    return;
  }
  queue.add(action);
  announce(say("undone"));
}

/** The targets, or all look-alikes of the current face. @param {boolean} all */
const aim = (all) => (all && state.group.length > 0 ? state.group : state.targets);

listenToKeys({
  isReport: () => state.isReport,
  takeNumber,
  takeFirst: (all) => (state.isReport ? accept() : takeNumber(0, all)),
  acceptKnown: () => accept(true),
  reject,
  remove,
  nobody: (all) => decide(aim(all), NOT_A_FACE),
  askNew,
  undo,
  chooseGroup,
  chooseAll,
  chooseNone: () => state.choose([]),
  toggle: () => state.toggle(state.cursor),
  takeAway,
  go,
  type: () => names.focus(),
  help: () => byId("keys-dialog", HTMLDialogElement).showModal(),
});

function askNew() {
  const targets = state.targets;
  names.askNew(names.input.value.trim(), (character) => takeCharacter(character, targets));
}

/** All that have no label; where none is left, all. */
function chooseAll() {
  const open = state.order.filter((id) => state.faces.get(id)?.label === null);
  state.choose(open.length > 0 ? open : state.order);
}

function chooseGroup() {
  state.choose(state.chosen.size > 0 ? [] : state.group);
}

/** @param {"next" | "previous" | "up" | "down" | "first" | "last"} move @param {boolean} extend */
function go(move, extend) {
  const { order, cursor } = state;
  const place = order.indexOf(cursor);
  const to = {
    next: () => order[Math.min(place + 1, order.length - 1)],
    previous: () => order[Math.max(place - 1, 0)],
    up: () => inbox.findInRow(cursor, -1),
    down: () => inbox.findInRow(cursor, 1),
    first: () => order[0],
    last: () => order[order.length - 1],
  }[move]();
  if (extend) state.choose([...state.chosen, ...state.between(cursor, to)]);
  else if (state.chosen.size > 0) state.choose([]);
  state.goTo(to);
}

byId("label-nobody", HTMLButtonElement).addEventListener("click", () => decide(state.targets, NOT_A_FACE));
byId("label-new", HTMLButtonElement).addEventListener("click", askNew);
byId("label-all", HTMLButtonElement).addEventListener("click", chooseAll);
byId("label-group", HTMLButtonElement).addEventListener("click", chooseGroup);
byId("label-help", HTMLButtonElement).addEventListener("click", () => byId("keys-dialog", HTMLDialogElement).showModal());
byId("label-several", HTMLButtonElement).addEventListener("click", ({ currentTarget }) => {
  inbox.several = !inbox.several;
  /** @type {HTMLElement} */ (currentTarget).setAttribute("aria-pressed", String(inbox.several));
});
undoButton.addEventListener("click", undo);
byId("report-accept", HTMLButtonElement).addEventListener("click", () => accept());
byId("report-known", HTMLButtonElement).addEventListener("click", () => accept(true));
byId("report-reject", HTMLButtonElement).addEventListener("click", reject);
byId("report-reopen", HTMLButtonElement).addEventListener("click", takeAway);
byId("report-delete", HTMLButtonElement).addEventListener("click", remove);

let drawing = 0;
/** Draw what is beside the tiles once a frame, however many keys came. */
function drawSoon() {
  if (drawing) return;
  drawing = requestAnimationFrame(() => {
    drawing = 0;
    drawBeside();
  });
}

function drawBeside() {
  panel.draw();
  const { left } = state;
  byId("label-left", HTMLElement).textContent = left > 0 ? say("left", { total: left }) : sayDone();
  undoButton.setAttribute("aria-disabled", String(state.history.length === 0));
  const empty = state.order.length === 0;
  byId("label-empty", HTMLElement).hidden = !empty;
  byId("review-page", HTMLElement).hidden = empty;
  if (!empty && left > 0 && left === state.beyond && queue.length === 0) void load();
}

function sayDone() {
  if (!reports) return say("all_labelled");
  return reports.filter.state === "pending" ? say("nothing_left") : say("reports_shown", { count: reports.total });
}

state.addEventListener("change", (event) => {
  const ids = event instanceof CustomEvent ? event.detail : null;
  if (ids === null) inbox.draw();
  else for (const id of ids) inbox.update(id);
  if (ids?.includes(state.cursor)) inbox.reveal();
  drawSoon();
});

queue.addEventListener("change", () => {
  const waiting = queue.length;
  saved.dataset.state = queue.trouble ? "trouble" : waiting > 0 ? "saving" : "saved";
  if (queue.trouble) saved.textContent = say("not_saved", { total: waiting });
  else saved.textContent = waiting > 0 ? say("saving", { total: waiting }) : say("all_saved");
  notice.showTrouble(
    queue.trouble,
    waiting,
    () => queue.nudge(),
    () => queue.giveUp(),
  );
  drawSoon();
});

/** @type {Promise<void> | null} */
let loading = null;

/** Load once at a time. @returns {Promise<void>} */
function load() {
  loading ??= loadFaces().finally(() => {
    loading = null;
  });
  return loading;
}

/** Ask the server for the items; what is still to be sent is shown on top of them, and sent. */
async function loadFaces() {
  try {
    const [found, answer, history] = await Promise.all([
      reports?.load(),
      kind === "reports" ? null : ask("/operator/label/faces"),
      fetchHistory(),
    ]);
    const items = [...(found?.items ?? []), ...(answer?.faces ?? [])];
    const pending = !reports || reports.filter.state === "pending";
    const total = (pending ? (reports?.total ?? 0) : (found?.items.length ?? 0)) + (answer?.total ?? 0);
    state.learnNames({ ...found?.names, ...answer?.names });
    state.load(items, history, total);
    if (answer) {
      counts.load(answer.characters);
      notice.showModel(answer);
    }
    for (const action of queue.recall()) state.replay(action);
    queue.nudge();
    drawBeside();
  } catch (error) {
    notice.warn(describeError(error), load);
  }
  document.documentElement.dataset.ready = "";
}

void load();

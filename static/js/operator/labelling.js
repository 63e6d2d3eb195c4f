/**
 * The labelling page: faces that the model has arranged, labelled by keyboard. What it shows as saved the
 * server has confirmed.
 */

import { byId } from "../page/elements.js";
import { announce } from "../page/status.js";
import { ask, describeError, post } from "./api.js";
import { Counts } from "./label-counts.js";
import { Inbox } from "./label-inbox.js";
import { listenToKeys } from "./label-keys.js";
import { Names } from "./label-names.js";
import { Panel } from "./label-panel.js";
import { ActionQueue } from "./label-queue.js";
import { LabelState, NOT_A_FACE } from "./label-state.js";
import { ModelNotice } from "./model-notice.js";

/** @typedef {import("./label-state.js").Action} Action */

const operator = document.getElementById("operator-name")?.textContent ?? "";
const state = new LabelState();
const inbox = new Inbox(state);
const counts = new Counts(state);
const panel = new Panel(state, (label) => decide(state.targets, label));
const queue = new ActionQueue(`labels of ${operator}`, send, handleConfirmed, handleRefused);
const notice = new ModelNotice(load);
const names = new Names((character) => takeCharacter(character, state.targets), () => inbox.reveal());
const undoButton = byId("label-undo", HTMLButtonElement);
const saved = byId("label-saved", HTMLElement);

/** @param {Action} action */
function send(action) {
  if (action.kind === "undo") return post("/operator/label/undo", { action: action.id, undoes: action.undoes });
  const { id, faces, label } = action;
  return post("/operator/label/decisions", { action: id, faces, label });
}

/** @param {Action} action @param {import("./label-queue.js").Answer} answer */
function handleConfirmed(action, answer) {
  state.learnNames(answer.names);
  state.confirm(action, answer.faces);
  counts.update(answer.characters);
}

/** @param {Action} action @param {import("../page/api.js").ServerError} error */
function handleRefused(action, error) {
  state.learnNames(error.problem.names ?? {});
  const rest = state.refuse(action, error.message, error.problem.faces ?? []);
  const { faces = [] } = error.problem;
  const others = [...new Set(faces.map((/** @type {import("./label-state.js").FaceJson} */ { operator }) => operator))].filter(Boolean);
  const which = faces.length === 1 ? "A face was" : `${faces.length} faces were`;
  notice.warn(others.length > 0 ? `${which} labelled by ${others.join(", ")} meanwhile. That stays.` : error.message);
  if (rest.length > 0 && action.kind === "label") decide(rest, action.label);
}

/** @param {string[]} ids @param {string | null} label */
function decide(ids, label) {
  const action = state.decide(ids, label);
  if (!action) return;
  queue.add(action);
  const { name } = state.nameOf(label);
  announce(`${name || "No label"}: ${ids.length === 1 ? "one face" : `${ids.length} faces`}`);
}

/** @param {import("../page/api.js").Character} character @param {string[]} targets */
function takeCharacter({ label, name, work }, targets) {
  state.learnNames({ [label]: { name, work } });
  decide(targets, label);
}

function undo() {
  const action = state.undo();
  if (!action) {
    if (queue.length === 0) void load(); // the server may know of older ones
    return;
  }
  queue.add(action);
  announce("Undone");
}

/** The targets, or all look-alikes of the current face. @param {boolean} all */
const aim = (all) => (all && state.group.length > 0 ? state.group : state.targets);

listenToKeys({
  takeNumber(number, all) {
    const candidate = state.candidates()[number];
    if (candidate) decide(aim(all), candidate.label);
  },
  nobody: (all) => decide(aim(all), NOT_A_FACE),
  askNew,
  undo,
  chooseGroup,
  chooseAll: () => state.choose(state.order.filter((id) => state.faces.get(id)?.label === null)),
  chooseNone: () => state.choose([]),
  toggle: () => state.toggle(state.cursor),
  takeAway: () => decide(state.targets, null),
  go,
  type: () => names.focus(),
  help: () => byId("keys-dialog", HTMLDialogElement).showModal(),
});

function askNew() {
  const targets = state.targets;
  names.askNew(names.input.value.trim(), (character) => takeCharacter(character, targets));
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
byId("label-group", HTMLButtonElement).addEventListener("click", chooseGroup);
byId("label-help", HTMLButtonElement).addEventListener("click", () => byId("keys-dialog", HTMLDialogElement).showModal());
byId("label-several", HTMLButtonElement).addEventListener("click", ({ currentTarget }) => {
  inbox.several = !inbox.several;
  /** @type {HTMLElement} */ (currentTarget).setAttribute("aria-pressed", String(inbox.several));
});
undoButton.addEventListener("click", undo);

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
  byId("label-left", HTMLElement).textContent = left === 0 ? "All faces have a label." : `${left} left`;
  undoButton.setAttribute("aria-disabled", String(state.history.length === 0));
  const empty = state.order.length === 0;
  byId("label-empty", HTMLElement).hidden = !empty;
  byId("label-desk", HTMLElement).hidden = empty;
  if (!empty && left > 0 && left === state.beyond && queue.length === 0) void load();
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
  if (queue.trouble) saved.textContent = `${waiting} not saved`;
  else saved.textContent = waiting > 0 ? `Saving ${waiting}…` : "All saved";
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

/** Ask the server for the faces; what is still to be sent is shown on top of them, and sent. */
async function loadFaces() {
  try {
    const answer = await ask("/operator/label/faces");
    state.learnNames(answer.names);
    state.load(answer.faces, answer.history, answer.total);
    counts.load(answer.characters);
    notice.showModel(answer);
    for (const action of queue.recall()) state.replay(action);
    queue.nudge();
    drawBeside();
  } catch (error) {
    notice.warn(describeError(error), load);
  }
  document.documentElement.dataset.ready = "";
}

void load();

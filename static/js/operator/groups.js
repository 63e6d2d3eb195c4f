/**
 * The page of groups: unknown faces of a library that look alike, named one group at a time.
 *
 * Every decision carries the number of the last one that the page saw; where somebody else was faster the
 * server refuses it, and the page shows how it is now.
 */

import { byId, copyTemplate, part } from "../page/elements.js";
import { say, settings } from "../page/messages.js";
import { ServerError, ask, describeError, post } from "./api.js";
import { answerAgain, complainIn, isOfPage } from "./deciding.js";
import { GroupPanel } from "./groups-panel.js";

/** @typedef {{id: number, state: string, size: number, name: string, cover: number}} Listed */
/** @typedef {{step: number, undo: string | null, redo: string | null}} Head */

const PATH = "/operator/groups";
/** What is said where no group is in a state. @type {Record<string, string>} */
const EMPTY = { open: say("groups_none_open"), named: say("groups_none_named"), not_a_face: say("groups_none_not_a_face") };
/** What is said of a decision. @type {Record<string, string>} */
const DONE = {
  name: say("group_did_name"),
  not_a_face: say("group_did_not_a_face"),
  split: say("group_did_split"),
  merge: say("group_did_merge"),
};
const state = settings.state ?? "open";
const problem = byId("groups-problem", HTMLElement);
const complain = complainIn(problem);
const told = byId("groups-told", HTMLElement);
const left = byId("groups-answering", HTMLElement);
const list = byId("groups-list", HTMLElement);
const undo = byId("groups-undo", HTMLButtonElement);
const redo = byId("groups-redo", HTMLButtonElement);
/** @type {Listed[]} */
let groups = [];
/** @type {Head} */
let head = { step: 0, undo: null, redo: null };
let busy = false;
/** The decision that is being taken. @type {Promise<unknown>} */
let running = Promise.resolve();
/** Undo and redo, one after the other, however fast the keys come. */
let turns = Promise.resolve();

const panel = new GroupPanel({
  name: (group, name, label, work) => decide("name", { groups: [group], name, label, work }),
  reject: (group) => decide("not-a-face", { groups: [group] }),
  split: (group, faces) => decide("split", { groups: [group], faces }, group),
  merge: (group, other) => decide("merge", { groups: [group, other] }, group),
});

/** Show the groups as they are now. @param {number} [wanted] the group to look at; else the first */
async function load(wanted) {
  try {
    const answer = await readList();
    const known = groups.some(({ id }) => id === wanted) ? wanted : groups[0]?.id;
    byId("groups-page", HTMLElement).hidden = known === undefined;
    if (known === undefined) complain(describeEmpty(answer.ungrouped));
    else await choose(known);
    void answerAgain(answer.outdated, left, showAnswered, complain);
  } catch (error) {
    complain(describeError(error));
  }
  document.documentElement.dataset.ready = "";
}

/** Draw the groups as they are now. */
async function readList() {
  const answer = await ask(`${PATH}/list?${new URLSearchParams({ state })}`);
  ({ groups, head } = answer);
  byId("groups-total", HTMLElement).textContent = say("groups_total", { count: answer.total });
  undo.disabled = head.undo === null;
  redo.disabled = head.redo === null;
  draw();
  return answer;
}

/** @param {number} ungrouped */
function describeEmpty(ungrouped) {
  const words = [EMPTY[state]];
  if (state === "open" && ungrouped > 0) words.push(say("groups_ungrouped", { count: ungrouped }));
  return words.join(" ");
}

function draw() {
  list.replaceChildren(
    ...groups.map((group) => {
      const item = copyTemplate("group-template");
      const button = part(item, "button");
      button.dataset.group = String(group.id);
      part(item, "img").setAttribute("src", `${PATH}/faces/${group.cover}`);
      part(item, ".group-words").textContent = nameGroup(group);
      part(item, ".group-count").textContent = String(group.size);
      button.addEventListener("click", () => void choose(group.id));
      return item;
    }),
  );
}

/** @param {{id: number, name: string}} group */
function nameGroup({ id, name }) {
  return name ? say("group_named", { number: id, name }) : say("group_title", { number: id });
}

/** @param {number} id */
async function choose(id) {
  markCurrent(id);
  const group = await ask(`${PATH}/${id}`);
  panel.show(group, nameGroup(group));
}

/** @param {number} id */
function markCurrent(id) {
  for (const button of list.querySelectorAll("button")) {
    button.setAttribute("aria-current", String(button.dataset.group === String(id)));
  }
}

/**
 * @param {string} what @param {object} said @param {number} [stay] the group to look at afterwards
 * @returns {Promise<string>} why it was refused; empty if it was not
 */
function decide(what, said, stay) {
  if (busy) return Promise.resolve("");
  busy = true;
  const decision = take(what, said, stay);
  running = decision;
  return decision;
}

/** @param {string} what @param {object} said @param {number} [stay] @returns {Promise<string>} */
async function take(what, said, stay) {
  complain("");
  const next = stay ?? following();
  try {
    const answer = await post(`${PATH}/${what}`, { ...said, seen: head.step });
    const words = what === "undo" ? say("undone") : what === "redo" ? say("redone") : DONE[answer.action];
    await load(next);
    told.textContent = [words, answer.told].filter(Boolean).join(" ");
    return "";
  } catch (error) {
    const stale = error instanceof ServerError && error.status === 409;
    if (stale && what !== "name") await load(stay);
    return describeError(error);
  } finally {
    busy = false;
  }
}

/** The group after the one that is looked at: the next to be named. */
function following() {
  const place = groups.findIndex(({ id }) => id === panel.group);
  return (groups[place + 1] ?? groups[place - 1])?.id;
}

/** Show what came of faces that were answered again; some may have left groups, the one that is looked at too. */
async function showAnswered() {
  await running;
  await readList();
  const looked = panel.group;
  if (looked === undefined || !groups.some(({ id }) => id === looked)) return load();
  markCurrent(looked);
  const group = await ask(`${PATH}/${looked}`);
  if (panel.group === looked && !busy) panel.update(group);
}

/** @param {"undo" | "redo"} what */
function turn(what) {
  turns = turns.then(async () => {
    await running;
    if ((what === "undo" ? head.undo : head.redo) !== null) complain(await decide(what, {}, panel.group));
  });
}

undo.addEventListener("click", () => turn("undo"));
redo.addEventListener("click", () => turn("redo"));
document.addEventListener("keydown", (event) => {
  if (!isOfPage(event)) return;
  const letter = event.key.toLowerCase();
  const commands = {
    z: () => turn(event.shiftKey ? "redo" : "undo"),
    y: () => turn("redo"),
    n: () => panel.focusName(),
    s: () => void panel.split(),
    x: () => void panel.reject(),
  };
  const command = commands[/** @type {"z"} */ (letter)];
  if (!command || ((event.ctrlKey || event.metaKey) && !"zy".includes(letter))) return;
  event.preventDefault();
  command();
});
if (problem.hidden) void load();
else document.documentElement.dataset.ready = "";

/**
 * The page of the library: pictures searched by who is in them, or by a face; looked at, chosen, and corrected.
 *
 * What is looked for stands in the address. What a person says of faces is undone as on the page of groups, by the
 * same calls: each carries the number of the last decision that this page saw.
 */

import { byId, copyTemplate, part } from "../page/elements.js";
import { say, settings } from "../page/messages.js";
import { ServerError, ask, describeError, isAbort, post } from "./api.js";
import { answerAgain, complainIn, isOfPage } from "./deciding.js";
import { ChosenBar } from "./library-chosen.js";
import { FaceIntake } from "./library-face.js";
import { SearchForm } from "./library-form.js";
import { PictureGrid } from "./library-grid.js";
import { NOTHING, isAsked, isByFace, readWanted, writeWanted } from "./library-search.js";
import { PictureViewer } from "./library-viewer.js";

/** @typedef {import("./library-search.js").Wanted} Wanted */
/** @typedef {import("./library-search.js").Found} Found */

const PATH = "/operator/library";
/** Pictures of one list, and faces of one decision. */
const MOST_CHOSEN = 1_000;
const problem = byId("library-problem", HTMLElement);
const complain = complainIn(problem);
const total = byId("library-total", HTMLElement);
const told = byId("library-told", HTMLElement);
const doing = byId("library-doing", HTMLElement);
const results = byId("library-results", HTMLElement);
const undo = byId("library-undo", HTMLButtonElement);
const redo = byId("library-redo", HTMLButtonElement);
const sought = byId("sought", HTMLElement);

/** @type {Wanted} */
let wanted = NOTHING;
/** @type {Found | null} */
let found = null;
/** @type {AbortController | null} */
let searching = null;
let busy = false;

const grid = new PictureGrid({
  open: (place) => viewer.open(grid.pictures, place, found?.first ?? 1, found?.total ?? 0),
  choose: () => showChosen(),
});
const viewer = new PictureViewer({
  leave: (place) => grid.focus(place),
  seek: (face) => void goTo({ ...NOTHING, face }, "", true),
});
const bar = new ChosenBar({
  name: (faces, name, label, work) => decide(`${PATH}/say`, { faces, name, label, work }, say("group_did_name")),
  reject: (faces) => decide(`${PATH}/say`, { faces, nobody: true }, say("group_did_not_a_face")),
  clear: () => {
    grid.chooseNone();
    grid.focus();
  },
  tell,
  complain,
});
const form = new SearchForm(settings.most_characters ?? 1, () => void goTo({ ...NOTHING, ...form.read() }));
const intake = new FaceIntake({
  seek: (like, crop) => void goTo({ ...NOTHING, like }, crop),
  tell: (words) => {
    doing.textContent = words;
  },
  complain,
});

/**
 * Look for something else, as a new step of the browser's history.
 * @param {Wanted} next @param {string} [crop] of the face @param {boolean} [focusing] see `load`
 */
async function goTo(next, crop = "", focusing = false) {
  intake.close();
  tell("");
  history.pushState({ crop }, "", writeWanted(next) || location.pathname);
  await load(focusing);
}

/** Show what the address says. @param {boolean} [focusing] the first picture gets the focus */
async function load(focusing = false) {
  const next = readWanted(location.search);
  if (writeWanted({ ...next, page: 1 }) !== writeWanted({ ...wanted, page: 1 })) grid.chooseNone();
  wanted = next;
  searching?.abort();
  const search = new AbortController();
  searching = search;
  complain("");
  form.fill(wanted);
  showSought();
  byId("library-start", HTMLElement).hidden = isAsked(wanted);
  results.setAttribute("aria-busy", "true");
  total.textContent = say("library_searching");
  try {
    const answer = await ask(`${PATH}/search${writeWanted(wanted)}`, { signal: search.signal });
    if (search.signal.aborted) return;
    found = answer;
    show(answer);
    if (focusing) {
      results.scrollIntoView({ block: "start" });
      grid.focus();
    }
  } catch (error) {
    if (search.signal.aborted || isAbort(error)) return;
    found = null;
    grid.show([], false);
    showPages(1, 1);
    total.textContent = "";
    complain(describeError(error));
  }
  results.removeAttribute("aria-busy");
  document.documentElement.dataset.ready = "";
}

/** @param {Found} answer */
function show({ pictures, total: count, page, pages, characters, head }) {
  const byFace = isByFace(wanted);
  if (!byFace) form.showNames(characters);
  grid.show(pictures, byFace);
  showChosen();
  showPages(page, pages);
  showHead(head);
  total.textContent = byFace ? say("library_nearest", { count }) : say("library_total", { count });
  const none = byId("library-none", HTMLElement);
  none.hidden = pictures.length > 0;
  none.textContent = isAsked(wanted) ? say("library_none") : say("library_empty");
}

function showChosen() {
  bar.show([...grid.chosen.values()].slice(0, MOST_CHOSEN));
}

/** @param {number} page @param {number} pages */
function showPages(page, pages) {
  byId("library-pages", HTMLElement).hidden = pages < 2 && page < 2;
  byId("library-page", HTMLElement).textContent = say("library_page", { page, pages });
  for (const [id, to, is] of /** @type {[string, number, boolean][]} */ ([
    ["library-previous", Math.min(page - 1, pages), page > 1],
    ["library-next", page + 1, page < pages],
  ])) {
    const link = byId(id, HTMLAnchorElement);
    link.hidden = !is;
    link.href = writeWanted({ ...wanted, page: to }) || location.pathname;
  }
}

/** @param {import("./library-search.js").Head} head */
function showHead(head) {
  undo.disabled = head.undo === null;
  redo.disabled = head.redo === null;
}

/** Which face is looked for. */
function showSought() {
  sought.hidden = !isByFace(wanted);
  byId("search-names", HTMLElement).classList.toggle("is-faded", isByFace(wanted));
  const image = byId("sought-face", HTMLImageElement);
  const crop = wanted.face === null ? history.state?.crop : `/operator/groups/faces/${wanted.face}`;
  image.hidden = !crop;
  if (crop) image.src = crop;
  else image.removeAttribute("src");
}

/** Who is in the most pictures, for those who have nothing to ask yet. */
async function showStart() {
  const { pictures, faces, known, probably, frequent, works } = await ask(`${PATH}/overview`);
  byId("library-counts", HTMLElement).textContent = say("library_counts", { pictures, faces, named: known + probably });
  byId("search-works", HTMLElement).replaceChildren(...works.map((/** @type {string} */ work) => new Option(work, work)));
  byId("library-frequent", HTMLElement).replaceChildren(
    ...frequent.map((/** @type {{label: string, name: string, pictures: number}} */ one) => {
      const item = copyTemplate("frequent-template");
      const link = /** @type {HTMLAnchorElement} */ (part(item, "a"));
      part(item, ".frequent-name").textContent = one.name;
      part(item, ".frequent-count").textContent = String(one.pictures);
      link.href = writeWanted({ ...NOTHING, who: [one.label] });
      return item;
    }),
  );
}

/** @param {string} words */
function tell(words) {
  told.textContent = words;
}

/**
 * @param {string} path @param {object} said @param {string} done what is said of it afterwards
 * @returns {Promise<string>} why it was refused; empty if it was not
 */
async function decide(path, said, done) {
  if (busy || !found) return "";
  busy = true;
  complain("");
  try {
    const answer = await post(path, { ...said, seen: found.head.step });
    grid.chooseNone();
    await load();
    if (document.activeElement === document.body) grid.focus(); // what had the focus is gone
    tell([done, answer.told].filter(Boolean).join(" "));
    void answerAgain(answer.outdated, doing, load, complain);
    return "";
  } catch (error) {
    if (error instanceof ServerError && error.status === 409) await load();
    return describeError(error);
  } finally {
    busy = false;
  }
}

/** @param {"undo" | "redo"} what */
async function turn(what) {
  if ((what === "undo" ? undo : redo).disabled) return;
  complain(await decide(`/operator/groups/${what}`, {}, what === "undo" ? say("undone") : say("redone")));
}

/** Links to what is looked for stay on the page. @param {MouseEvent} event */
function followLink(event) {
  const link = event.target instanceof Element ? event.target.closest("a[data-search]") : null;
  if (!(link instanceof HTMLAnchorElement) || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  tell("");
  history.pushState(history.state, "", link.href);
  void load(true);
}

/** @param {KeyboardEvent} event */
function handleKey(event) {
  if (!isOfPage(event)) return;
  const { key } = event;
  const letter = key.toLowerCase();
  if (letter === "z") void turn(event.shiftKey ? "redo" : "undo");
  else if (letter === "y") void turn("redo");
  else if (key === "Escape" && grid.chosen.size > 0) grid.chooseNone();
  else if (key === "/") form.name.focus();
  else return;
  event.preventDefault();
}

undo.addEventListener("click", () => void turn("undo"));
redo.addEventListener("click", () => void turn("redo"));
byId("sought-leave", HTMLButtonElement).addEventListener("click", () => {
  form.name.focus();
  void goTo(NOTHING);
});
document.addEventListener("click", followLink);
document.addEventListener("keydown", handleKey);
window.addEventListener("popstate", () => {
  intake.close();
  tell("");
  void load();
});
if (problem.hidden) {
  void load();
  showStart().catch((error) => complain(describeError(error)));
} else document.documentElement.dataset.ready = "";

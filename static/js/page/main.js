/**
 * Puts the page together: a picture comes in, its faces are found, the server is asked, cards show
 * the answers, and corrections go back.
 */

import { Cards, markOf, nameOf } from "../answers/cards.js";
import { Editor } from "../faces/editor.js";
import { byId } from "./elements.js";
import { middleBox } from "../faces/geometry.js";
import { Identification } from "../answers/identification.js";
import { receivePictures } from "../picture/intake.js";
import { Live } from "../live/live.js";
import { say, settings } from "./messages.js";
import { openPicture } from "../picture/picture.js";
import { ReportDialog } from "../report/report-dialog.js";
import { resumeReports, submitReport } from "../report/report-queue.js";
import { FaceSearch } from "../faces/search.js";
import { PageState, faceBox } from "./state.js";
import { keepPictureOverLanguages, takeStash } from "./stash.js";
import { StatusLine, announce } from "./status.js";
import { Tools } from "./tools.js";
import { WhyDialog } from "../answers/why-dialog.js";

/** @typedef {import("./stash.js").Stash} Stash */
/** @typedef {import("../faces/geometry.js").Box} Box */

// Cropper defines its elements as it loads; they have to be there before the first box is.
await import(settings.urls.cropper);

const state = new PageState();
const status = new StatusLine();
const identification = new Identification(state, status);
const search = new FaceSearch(settings.urls, state, status, identification);
const cards = new Cards(byId("cards", HTMLOListElement), {
  why: openWhy,
  wrong: openReport,
  remove: removeFace,
  again: askAgain,
  point: (id) => editor.highlight(id),
});
const editor = new Editor(byId("stage", HTMLElement), {
  add: addDrawn,
  change: (id, box, tag) => state.change(id, box, tag),
  remove: removeFace,
  point: (id) => cards.highlight(id),
});
const tools = new Tools({
  add: addMiddle,
  turn: turnPicture,
  undo: () => travel("undo"),
  redo: () => travel("redo"),
  identify: askAgain,
  level: searchAtLevel,
  frame: (frame, settled) => {
    live.leave();
    void showFrame(frame, settled);
  },
  live: () => void toggleLive(),
  pause: () => void live.pause(),
});
const live = new Live(editor.canvas, search, status, (frame) => showFrame(frame, true));
const reportDialog = new ReportDialog((report, face) => {
  void submitReport(report, (reported) => state.markReported(face.id, reported));
});
const whyDialog = new WhyDialog();
let openings = 0;

state.addEventListener("change", render);
search.addEventListener("change", render);
live.addEventListener("change", () => tools.showLive(live.running));
live.addEventListener("frame", () => {
  if (state.picture && live.frame !== null) tools.followFrame(state.picture, live.frame);
});
receivePictures(
  {
    input: byId("file-input", HTMLInputElement),
    overlay: byId("drop-overlay", HTMLElement),
    choosers: document.querySelectorAll("[data-choose]"),
    examples: document.querySelectorAll("[data-example]"),
  },
  {
    open: (file) => void open(file),
    openExample: () => void openExample(),
    refuseLink: () => status.show({ kind: "error", text: say("dropped_link") }),
    expect: () => void search.load().catch(() => {}), // `run` tells if it fails again
  },
);
keepPictureOverLanguages(collectStash);
resumeReports();
const stash = await takeStash();
if (stash) await open(stash.blob, stash);
document.documentElement.dataset.ready = ""; // every control works from here on

function render() {
  editor.render(
    state.faces.map((face, index) => ({
      id: face.id,
      box: face.box,
      number: index + 1,
      name: nameOf(state, face),
      mark: markOf(state, face),
      isWeak: face.isWeak,
    })),
  );
  cards.render(state);
  tools.render(state, search);
}

/** @param {Blob} blob @param {Partial<Stash>} [before] how it looked before the language changed */
async function open(blob, before = {}) {
  openings += 1;
  const opening = openings;
  search.cancel();
  status.show({ kind: "busy", text: say("opening") });
  let picture;
  try {
    picture = await openPicture(blob, before.frame);
  } catch {
    if (opening === openings) status.show({ kind: "error", text: say("unreadable") });
    return;
  }
  if (opening !== openings) {
    picture.close();
    return;
  }
  byId("welcome", HTMLElement).hidden = true;
  byId("workspace", HTMLElement).hidden = false;
  live.forget();
  picture.turnTo(before.turns ?? 0);
  state.open(picture);
  editor.setPicture(picture.bitmap);
  tools.showFrames(picture);
  search.level = before.level ?? search.level;
  if (!before.faces?.length) return void search.run();
  state.restore(before.faces);
  void search.load().catch(() => {});
  void identification.askWaiting();
}

async function openExample() {
  try {
    const response = await fetch(settings.urls.example);
    if (!response.ok) throw new Error(response.statusText);
    await open(await response.blob());
  } catch {
    status.show({ kind: "error", text: say("example_failed") });
  }
}

/** @param {number} frame @param {boolean} settled the slider was let go */
async function showFrame(frame, settled) {
  const { picture } = state;
  if (!picture) return;
  tools.labelFrame(picture, frame);
  if (frame !== picture.frame) {
    search.cancel();
    if (!(await picture.show(frame)) || picture !== state.picture || live.running) return;
    state.clear();
    editor.setPicture(picture.bitmap);
  }
  if (settled) void search.run();
}

function turnPicture() {
  const { picture } = state;
  if (!picture || picture.frameCount > 1) return;
  search.cancel();
  const { width, height } = picture;
  picture.turn();
  editor.setPicture(picture.bitmap);
  state.turn({ width, height });
  announce(say("turned"));
  void search.run();
}

async function toggleLive() {
  if (live.running) return live.pause();
  await live.settled;
  const { picture } = state;
  if (!picture || live.running || picture.frameCount < 2) return;
  search.cancel();
  state.clear();
  await live.start(picture);
}

/** @param {number} level */
function searchAtLevel(level) {
  search.choose(level);
}

function askAgain() {
  void identification.askWaiting();
}

/** @param {Box} box */
function addDrawn(box) {
  editor.focus(state.add(box));
  askAgain(); // a box drawn around a face asks who it is
}

function addMiddle() {
  if (!state.picture) return;
  editor.focus(state.add(middleBox(state.picture)));
  status.show({ kind: "info", text: say("box_added") });
}

/** @param {number} id */
function removeFace(id) {
  const index = state.faces.findIndex((face) => face.id === id);
  const onPicture = document.activeElement?.matches(".face-box") ?? false;
  state.remove(id);
  announce(say("box_removed", { number: index + 1 }));
  const next = state.faces[Math.min(index, state.faces.length - 1)];
  if (!next) tools.add.focus();
  else if (onPicture) editor.focus(next.id);
  else cards.focusRemove(next.id);
}

/** @param {"undo" | "redo"} way */
function travel(way) {
  if (way === "undo" ? !state.canUndo : !state.canRedo) return;
  state[way]();
  announce(say(way === "undo" ? "undone" : "redone"));
}

/** @param {number} id */
function openWhy(id) {
  const face = state.face(id);
  const answer = face && state.answer(face)?.face;
  if (!answer || !state.picture) return;
  const number = state.faces.indexOf(face) + 1;
  whyDialog.open({ bitmap: state.picture.bitmap, box: faceBox(face), number, answers: answer.answers });
}

/** @param {number} id */
function openReport(id) {
  const face = state.face(id);
  const answer = face && state.answer(face)?.face;
  const { picture, model } = state;
  if (!answer || !picture || !model) return;
  const verdict = nameOf(state, face) || say("unknown");
  reportDialog.open({
    bitmap: picture.bitmap,
    face,
    answer,
    modelVersion: `${model.name} ${model.version}`,
    verdict,
  });
}

/** @returns {Stash | null} */
function collectStash() {
  const { picture, faces } = state;
  if (!picture) return null;
  return {
    blob: picture.blob,
    frame: live.frame ?? picture.frame,
    level: search.level,
    turns: picture.turns,
    faces: faces.map(({ id, ...face }) => face),
  };
}

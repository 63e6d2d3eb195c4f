/**
 * Puts the page together: a picture comes in, its faces are found, the server is asked, cards show
 * the answers, and corrections go back.
 */

import { Album } from "./album.js";
import { Arrivals } from "../picture/arrivals.js";
import { Cards, describe, markOf, nameOf } from "../answers/cards.js";
import { Editor } from "../faces/editor.js";
import { byId } from "./elements.js";
import { growBox, middleBox } from "../faces/geometry.js";
import { searchElsewhere } from "../answers/elsewhere.js";
import { Identification } from "../answers/identification.js";
import { receivePictures } from "../picture/intake.js";
import { Live } from "../live/live.js";
import { isTouched, say, settings } from "./messages.js";
import { ReportDialog } from "../report/report-dialog.js";
import { resumeReports, submitReport } from "../report/report-queue.js";
import { FaceSearch } from "../faces/search.js";
import { PageState, faceBox } from "./state.js";
import { StatusLine, announce } from "./status.js";
import { showStrip } from "../picture/strip.js";
import { takeAlong } from "../answers/take-along.js";
import { TaughtPanel } from "../taught/panel.js";
import { Tools } from "./tools.js";
import { isOwnLabel, taught } from "../taught/taught.js";
import { teachFace } from "../taught/teaching.js";
import { WhyDialog } from "../answers/why-dialog.js";
import { Viewer } from "./viewer.js";
import { Zoom } from "../faces/zoom.js";

/** @typedef {import("../faces/geometry.js").Box} Box */

// Cropper defines its elements as it loads; they have to be there before the first box is.
await import(settings.urls.cropper);

const state = new PageState();
const status = new StatusLine();
const album = new Album({
  open: (entry) => viewer.open(entry),
  collect: () => viewer.collect(),
  welcome: () => viewer.showWelcome(),
});
const arrivals = new Arrivals(album, status);
const identification = new Identification(state, status);
const search = new FaceSearch(settings.urls, state, status, identification);
const cards = new Cards(byId("cards", HTMLOListElement), {
  why: openWhy,
  wrong: openReport,
  remove: removeFace,
  again: askAgain,
  wider: drawWider,
  elsewhere: (_id, site) => state.picture && void searchElsewhere(state.picture.bitmap, site),
  mine: (label) => void openTaught(taught.idOf(label)),
  point: (id) => editor.highlight(id),
});
const editor = new Editor(byId("stage", HTMLElement), {
  add: addDrawn,
  change: changeBox,
  remove: removeFace,
  point: (id) => cards.highlight(id),
});
new Zoom(editor);
const tools = new Tools({
  add: addMiddle,
  turn: turnPicture,
  undo: () => travel("undo"),
  redo: () => travel("redo"),
  identify: askAgain,
  level: (level) => search.choose(level),
  frame: (frame, settled) => {
    live.leave();
    void showFrame(frame, settled);
  },
  live: () => void toggleLive(),
  pause: () => void live.pause(),
  take: (what) => void takeAlong(what, state, album),
});
const live = new Live(editor.canvas, search, status, (frame) => showFrame(frame, true));
const reportDialog = new ReportDialog(({ report, naming, kept, refused }, { face }) => {
  const teaching = naming && teachFace(kept, naming, askAll, report !== null);
  const takeBack = async () => (await teaching)?.();
  if (!report) return;
  const mark = (/** @type {boolean} */ reported) => markReported(face, reported);
  void submitReport(report, { mark, withdrawn: () => void takeBack(), refused });
});
byId("taught-button", HTMLButtonElement).addEventListener("click", () => void openTaught());
const whyDialog = new WhyDialog();
/** @type {TaughtPanel | null} */
let taughtPanel = null;
const viewer = new Viewer({ album, arrivals, state, status, search, editor, tools, live });

state.addEventListener("change", render);
album.addEventListener("change", () => showStrip(album));
search.addEventListener("change", render);
live.addEventListener("change", () => tools.showLive(live.running));
live.addEventListener("play", () => {
  search.cancel();
  state.clear();
});
live.addEventListener("frame", () => {
  if (state.picture && live.frame !== null) tools.followFrame(state.picture, live.frame);
});
receivePictures(
  {
    input: byId("file-input", HTMLInputElement),
    addressForm: byId("address-form", HTMLFormElement),
    overlay: byId("drop-overlay", HTMLElement),
    choosers: document.querySelectorAll("[data-choose]"),
    examples: document.querySelectorAll("[data-example]"),
  },
  {
    open: (files) => void arrivals.take(files),
    fetch: (address) => void arrivals.fetch(address),
    openExample: () => void arrivals.openExample(),
    refuseLink: () => status.show({ kind: "error", text: say("dropped_link") }),
    expect: () => {
      search.prepare();
      void taught.load();
    },
  },
);
resumeReports();
await album.resume();
await arrivals.receiveShares();
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
  album.touch();
}

/** @param {number} frame @param {boolean} settled the slider was let go */
async function showFrame(frame, settled) {
  const { picture } = state;
  if (!picture) return;
  tools.followFrame(picture, frame);
  live.timeline.point(frame);
  if (frame !== picture.frame || frame !== picture.wanted) {
    search.cancel();
    const { bitmap } = picture;
    try {
      if (!(await picture.show(frame)) || picture !== state.picture) return;
    } catch {
      if (picture !== state.picture) return;
      tools.followFrame(picture, picture.frame);
      return status.show({ kind: "error", text: say("unreadable") });
    }
    if (picture.bitmap !== bitmap) {
      state.clear();
      editor.setPicture(picture.bitmap);
    }
  }
  if (settled && !live.running) void search.run();
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
  await live.start(picture);
}

function askAgain() {
  void identification.askWaiting();
}

/** Show whom this browser was taught. @param {string} [id] the one to show first */
async function openTaught(id) {
  taughtPanel ??= new TaughtPanel(askAll);
  await taughtPanel.open(id);
}

/** @param {string} site */
/** What this browser was taught has changed, and so may the answers. */
function askAll() {
  state.markAnswersOld();
  void album.changeOthers((other) => other.markAnswersOld());
  askAgain();
}

/**
 * A report was sent, or does not count any more; then another picture may be shown.
 * @param {import("./state.js").Face} face @param {boolean} reported
 */
function markReported(face, reported) {
  state.markReported(face, reported);
  if (!reported) void album.changeOthers((other) => other.markReported(face, false));
}

/** How much wider a box is drawn at a time. */
const WIDER_TIMES = 1.25;

/** Draw a box wider, and ask again. @param {number} id */
function drawWider(id) {
  const face = state.face(id);
  if (!face || !state.picture) return;
  state.change(id, growBox(face.box, WIDER_TIMES, state.picture));
  askAgain();
}

/** @param {Box} box */
function addDrawn(box) {
  editor.focus(state.add(box));
  askAgain(); // a box drawn around a face asks who it is
}

/** @param {number} id @param {Box} box @param {string} [tag] */
function changeBox(id, box, tag) {
  state.change(id, box, tag);
  identification.askSoon("moved");
}

function addMiddle() {
  if (!state.picture) return;
  editor.focus(state.add(middleBox(state.picture)));
  identification.askSoon("added");
  editor.stage.scrollIntoView({ block: "nearest" }); // on a narrow screen the button stands far below it
  status.show({ kind: "info", text: say(isTouched ? "box_added_touch" : "box_added") });
}

/** @param {number} id */
function removeFace(id) {
  const index = state.faces.findIndex((face) => face.id === id);
  const onPicture = document.activeElement?.matches(".face-box") ?? false;
  state.remove(id);
  announce(say("box_removed", { number: index + 1 }));
  const next = state.faces[Math.min(index, state.faces.length - 1)];
  if (onPicture || !next) focusFace(next);
  else cards.focusRemove(next.id);
}

/** The box that had the focus is gone. @param {import("./state.js").Face} [next] */
function focusFace(next) {
  if (next) editor.focus(next.id);
  else tools.add.focus();
}

/** @param {"undo" | "redo"} way */
function travel(way) {
  if (way === "undo" ? !state.canUndo : !state.canRedo) return;
  const onBox = document.activeElement?.matches(".face-box") ?? false;
  state[way]();
  if (onBox && document.activeElement === document.body) focusFace(state.faces.at(-1));
  identification.askSoon("moved");
  announce(say(way === "undo" ? "undone" : "redone"));
}

/** @param {number} id */
function openWhy(id) {
  const face = state.face(id);
  const answer = face && state.answer(face)?.face;
  if (!answer || !state.picture) return;
  const number = state.faces.indexOf(face) + 1;
  const answers = answer.answers.filter(({ label }) => !isOwnLabel(label)); // the server explains its own
  if (answers.length > 0) whyDialog.open({ bitmap: state.picture.bitmap, box: faceBox(face), number, answer: { ...answer, answers } });
}

/** @param {number} id */
function openReport(id) {
  const face = state.face(id);
  const answer = face && state.answer(face)?.face;
  const { picture, model } = state;
  if (!answer || !picture || !model) return;
  reportDialog.open({
    bitmap: picture.bitmap,
    face,
    answer,
    modelVersion: `${model.name} ${model.version}`,
    verdict: describe(state, face).verdict,
  });
}

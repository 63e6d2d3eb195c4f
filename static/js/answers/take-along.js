/**
 * Answers to take along: the names as text, the picture with its boxes and names, and JSON of all pictures of the tab.
 */

import { saveAs } from "../page/downloads.js";
import { PageState } from "../page/state.js";
import { say } from "../page/messages.js";
import { Toast } from "../page/toasts.js";
import { describe } from "./cards.js";

/** @typedef {import("../page/album.js").Album} Album */
/** @typedef {import("../page/album.js").Entry} Entry */
/** @typedef {import("../faces/geometry.js").Box} Box */
/** @typedef {"names" | "copy" | "save" | "json"} What */

/** Share of the picture's side that the line of a box is wide, and the letters are high. */
const LINE_SHARE = 1 / 250;
const LETTER_SHARE = 1 / 36;
const MIN_LETTER_PX = 14;

/** @param {What} what @param {PageState} state @param {Album} album */
export async function takeAlong(what, state, album) {
  if (what === "save") saveAs(await drawPicture(state), `${stemOf(album.current)}-kyara.png`);
  else if (what === "json") saveAs(await describeAlbum(album), "kyara.json");
  else await copy(what, state);
}

/** @param {"names" | "copy"} what @param {PageState} state */
async function copy(what, state) {
  const toast = new Toast();
  try {
    if (what === "names") await navigator.clipboard.writeText(nameFaces(state));
    else await navigator.clipboard.write([new ClipboardItem({ "image/png": drawPicture(state) })]);
    toast.sayAndGo(say(what === "names" ? "names_copied" : "picture_copied"));
  } catch {
    toast.say(say("copy_failed"), "error"); // without https there is no clipboard
  }
}

/** One line for each face. @param {PageState} state */
export function nameFaces(state) {
  return state.faces.map((face, index) => `${index + 1}. ${nameFace(state, face)}`).join("\n");
}

/** What is said of a face; an answer to another box is none. @param {PageState} state @param {import("../page/state.js").Face} face */
const describeNow = (state, face) => (state.isStale(face) ? { verdict: say("not_asked"), work: "" } : describe(state, face));

/** @param {PageState} state @param {import("../page/state.js").Face} face */
function nameFace(state, face) {
  const { verdict, work } = describeNow(state, face);
  const isNamed = ["known", "probably"].includes(state.answer(face)?.face?.verdict ?? "");
  return isNamed && work ? `${verdict} (${work})` : verdict;
}

/** The picture with its boxes and names, in its own pixels. @param {PageState} state @returns {Promise<Blob>} PNG */
async function drawPicture(state) {
  const { picture } = state;
  if (!picture) throw new Error("no picture");
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("no 2d canvas");
  context.drawImage(picture.bitmap, 0, 0);
  const side = Math.max(picture.width, picture.height);
  const letter = Math.max(MIN_LETTER_PX, Math.round(side * LETTER_SHARE));
  context.font = `600 ${letter}px ${getComputedStyle(document.body).fontFamily}`;
  context.lineWidth = Math.max(2, side * LINE_SHARE);
  context.textBaseline = "middle";
  state.faces.forEach((face, index) => {
    drawBox(context, face.box, `${index + 1}  ${describeNow(state, face).verdict}`, letter, picture);
  });
  return canvas.convertToBlob({ type: "image/png" });
}

/**
 * @param {OffscreenCanvasRenderingContext2D} context @param {Box} box @param {string} words @param {number} letter
 * @param {import("../faces/geometry.js").Size} picture in which the words are kept
 */
function drawBox(context, box, words, letter, picture) {
  const line = context.lineWidth;
  context.strokeStyle = "rgba(20, 12, 40, 0.7)";
  context.lineWidth = 2 * line;
  context.strokeRect(box.x, box.y, box.width, box.height);
  context.strokeStyle = "#fff";
  context.lineWidth = line;
  context.strokeRect(box.x, box.y, box.width, box.height);
  const width = Math.min(picture.width, context.measureText(words).width + letter);
  const height = 1.5 * letter;
  const x = Math.max(0, Math.min(box.x, picture.width - width));
  const y = Math.max(0, box.y - height);
  context.fillStyle = "rgba(28, 18, 52, 0.86)";
  context.fillRect(x, y, width, height);
  context.fillStyle = "#fff";
  context.fillText(words, x + letter / 2, y + height / 2, width - letter);
}

/** All pictures as `identify --json` of the command line describes them. @param {Album} album @returns {Promise<Blob>} */
async function describeAlbum(album) {
  await album.keep();
  const seen = album.entries.filter(({ view }) => view);
  const model = seen.flatMap(({ view }) => view?.saved.model ?? []).at(-1) ?? null;
  const text = JSON.stringify({ model, images: seen.map(describeEntry) }, null, 2);
  return new Blob([text], { type: "application/json" });
}

/** @param {Entry} entry that was looked at */
function describeEntry({ name, view }) {
  const { width, height, saved } = /** @type {import("../page/album.js").View} */ (view);
  const state = new PageState();
  state.resume(saved);
  const faces = state.faces.map((face) => {
    const answer = state.isStale(face) ? null : state.answer(face)?.face;
    return { box: face.box, verdict: answer?.verdict ?? null, answers: answer?.answers ?? [] };
  });
  return { source: name, width, height, faces };
}

/** @param {Entry | null} entry */
function stemOf(entry) {
  return entry?.name.replace(/\.[^.]*$/, "") || "picture";
}

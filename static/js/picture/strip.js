/**
 * The pictures of this tab as a row of thumbnails: a click shows one as it was left, another takes it away.
 */

import { byId, copyTemplate, part } from "../page/elements.js";
import { say } from "../page/messages.js";
import { Toast } from "../page/toasts.js";
import { decodeStill } from "./picture.js";

/** @typedef {import("../page/album.js").Album} Album */
/** @typedef {import("../page/album.js").Entry} Entry */

const THUMBNAIL_PX = 128;

/** @type {Map<string, HTMLElement>} the item of each picture, by its id */
const items = new Map();
/** One picture is decoded at a time. @type {Promise<void>} */
let drawing = Promise.resolve();
/** Takes the focus when the row goes that had it. @type {HTMLElement | null} */
let undoButton = null;

/** Show the thumbnails, as soon as there is something to choose from. @param {Album} album */
export function showStrip(album) {
  const { entries, current } = album;
  const strip = byId("pictures", HTMLElement);
  const isNeeded = entries.length > (current ? 1 : 0);
  if (!isNeeded && strip.hidden) return;
  const hadFocus = strip.contains(document.activeElement);
  const list = byId("picture-strip", HTMLOListElement);
  const ids = new Set(entries.map(({ id }) => id));
  for (const [id, item] of items) {
    if (ids.has(id)) continue;
    item.remove();
    items.delete(id);
  }
  entries.forEach((entry, index) => {
    let item = items.get(entry.id);
    if (!item) {
      item = createItem(album, entry);
      items.set(entry.id, item);
    }
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
    nameItem(item, entry, index + 1, entries.length);
    const open = part(item, ".strip-open");
    const isCurrent = entry === current;
    if (isCurrent && open.ariaCurrent !== "true") open.scrollIntoView({ block: "nearest", inline: "nearest" });
    open.ariaCurrent = isCurrent ? "true" : null;
  });
  strip.hidden = !isNeeded;
  if (!isNeeded && hadFocus) undoButton?.focus();
}

/** @param {HTMLElement} item @param {Entry} entry @param {number} number @param {number} total */
function nameItem(item, { name }, number, total) {
  const words = say("picture_of", { number, total });
  const open = part(item, ".strip-open");
  open.setAttribute("aria-label", name ? `${words}: ${name}` : words);
  open.title = name;
  part(item, ".strip-remove").setAttribute("aria-label", say("remove_picture", { number }));
}

/** @param {Album} album @param {Entry} entry */
function createItem(album, entry) {
  const item = copyTemplate("strip-template");
  part(item, ".strip-open").addEventListener("click", () => {
    if (entry !== album.current) void album.show(entry);
  });
  part(item, ".strip-remove").addEventListener("click", () => remove(album, entry));
  drawing = drawing.then(() => drawThumbnail(item, entry.blob)).catch(() => {}); // a video keeps its icon
  return item;
}

/** @param {Album} album @param {Entry} entry */
function remove(album, entry) {
  const index = album.entries.indexOf(entry);
  if (index < 0) return; // the second click of a double click
  let putBack = () => {};
  const toast = new Toast();
  toast.say(say("picture_removed"));
  toast.offerUndo(() => {
    putBack();
    toast.close();
    focusOn(entry); // the button goes
  });
  undoButton = toast.undoButton;
  putBack = album.remove(entry);
  focusOn(album.entries[Math.min(index, album.entries.length - 1)]);
}

/** @param {Entry | undefined} entry */
function focusOn(entry) {
  const item = entry && items.get(entry.id);
  if (item) part(item, ".strip-open").focus();
}

/** @param {HTMLElement} item @param {Blob} blob */
async function drawThumbnail(item, blob) {
  const bitmap = await decodeStill(blob);
  const width = Math.max(1, Math.round((bitmap.width * THUMBNAIL_PX) / bitmap.height));
  const canvas = /** @type {HTMLCanvasElement} */ (item.querySelector("canvas"));
  canvas.width = Math.min(width, 2 * THUMBNAIL_PX);
  canvas.height = THUMBNAIL_PX;
  const context = canvas.getContext("2d");
  if (context) context.imageSmoothingQuality = "medium";
  context?.drawImage(bitmap, (canvas.width - width) / 2, 0, width, THUMBNAIL_PX);
  bitmap.close();
  item.toggleAttribute("data-drawn", true);
}

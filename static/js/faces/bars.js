/**
 * Black bars around a picture: where the picture itself lies, as `kyara/vision/bars.py` finds it. A detector
 * looks there alone, and no crop takes in a part of a bar.
 */

import { sameBox } from "./geometry.js";

/** @typedef {import("./geometry.js").Box} Box */

/** Brightest channel, of 255, of what is black; JPEG leaves noise in bars. */
const MAX_BLACK = 24;
/** Share of the pixels of a row or column of a bar that may be brighter. */
const MAX_SPECKS = 0.005;
/** Rows or columns that are read at a time, after the first one. */
const LINES = 64;
/** Frames of a moving picture, at most, from one that is searched for bars to the next. */
const MOST_UNSEEN = 25;
/** Frames from one that is all black, which takes longest, to the next one that is searched. */
const AFTER_BLACK = 2;

/** @type {WeakMap<ImageBitmap, Box>} */
const known = new WeakMap();

/** All of a picture. @param {{width: number, height: number}} picture @returns {Box} */
export function wholeOf({ width, height }) {
  return { x: 0, y: 0, width, height };
}

/**
 * The part of a picture within black bars; all of it where there are none, or nothing else.
 * @param {ImageBitmap} bitmap @returns {Box}
 */
export function shownPart(bitmap) {
  const part = known.get(bitmap) ?? findPicture(bitmap) ?? wholeOf(bitmap);
  known.set(bitmap, part);
  return part;
}

/**
 * The part within black bars of a picture that moves, by some of its frames: a dark one shows less than there is, and
 * none shows more. To find bars takes a while, so it is done ever more seldom.
 */
export class MovingPart {
  /** @type {Box | null} what has been seen to be picture */
  #seen = null;
  #frames = 0;
  #due = 1;

  /** @param {ImageBitmap} frame another one @returns {Box} where the picture lies, as far as it is known */
  see(frame) {
    this.#frames += 1;
    const whole = wholeOf(frame);
    const isSettled = this.#seen !== null && sameBox(this.#seen, whole); // it has no bars
    if (isSettled || this.#frames < this.#due) return this.#seen ?? whole;
    const part = findPicture(frame);
    if (part) this.#seen = this.#seen ? joinBoxes(this.#seen, part) : part;
    this.#due = this.#frames + (part ? Math.min(this.#frames, MOST_UNSEEN) : AFTER_BLACK);
    return this.#seen ?? whole;
  }

  /** Another scene begins: it may show more than was seen. */
  lookAnew() {
    this.#frames = 0;
    this.#due = 1;
  }
}

/** The least box that holds both. @param {Box} a @param {Box} b @returns {Box} */
function joinBoxes(a, b) {
  const [x, y] = [Math.min(a.x, b.x), Math.min(a.y, b.y)];
  const right = Math.max(a.x + a.width, b.x + b.width);
  const bottom = Math.max(a.y + a.height, b.y + b.height);
  return { x, y, width: right - x, height: bottom - y };
}

/** @param {ImageBitmap} bitmap @returns {Box | null} null: it is all black */
function findPicture(bitmap) {
  const whole = wholeOf(bitmap);
  const top = countBlack(bitmap, whole, "rows", 1);
  if (top === whole.height) return null;
  const height = whole.height - top - countBlack(bitmap, whole, "rows", -1);
  const within = { ...whole, y: top, height };
  const left = countBlack(bitmap, within, "columns", 1);
  if (left === within.width) return null;
  const width = within.width - left - countBlack(bitmap, within, "columns", -1);
  return { ...within, x: left, width };
}

/**
 * How many rows or columns of a part are black, from its first or its last one on.
 * @param {ImageBitmap} bitmap @param {Box} part @param {"rows" | "columns"} lines @param {1 | -1} step
 */
function countBlack(bitmap, part, lines, step) {
  const total = lines === "rows" ? part.height : part.width;
  const across = lines === "rows" ? part.width : part.height;
  for (let done = 0, size = 1; done < total; size = LINES) {
    const count = Math.min(size, total - done);
    const start = step > 0 ? done : total - done - count;
    const strip =
      lines === "rows"
        ? { ...part, y: part.y + start, height: count }
        : { ...part, x: part.x + start, width: count };
    const bright = countBright(readPixels(bitmap, strip), strip.width, lines);
    for (let index = 0; index < count; index += 1) {
      const line = step > 0 ? index : count - 1 - index;
      if ((bright[line] ?? 0) > MAX_SPECKS * across) return done + index;
    }
    done += count;
  }
  return total;
}

/**
 * How many pixels of each row or column are not black.
 * @param {Uint8ClampedArray} data @param {number} width @param {"rows" | "columns"} lines
 */
function countBright(data, width, lines) {
  const counts = new Uint32Array(lines === "rows" ? data.length / 4 / width : width);
  for (let at = 0; at < data.length; at += 4) {
    if (Math.max(data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0) <= MAX_BLACK) continue;
    const pixel = at / 4;
    const line = lines === "rows" ? Math.floor(pixel / width) : pixel % width;
    counts[line] = (counts[line] ?? 0) + 1;
  }
  return counts;
}

/** Pixels on white. @param {ImageBitmap} bitmap @param {Box} part */
function readPixels(bitmap, { x, y, width, height }) {
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("no 2d canvas");
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, x, y, width, height, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

/**
 * Boxes as numbers, apart from the page.
 *
 * A box is `{x, y, width, height}` in integer pixels of the picture, origin top left. A view is the
 * same four numbers in CSS pixels on the screen. Nothing here knows the DOM.
 */

/** @typedef {{x: number, y: number, width: number, height: number}} Box */
/** @typedef {{width: number, height: number}} Size */

/** No face is smaller than this, and no box gets smaller by resizing it. */
const MIN_BOX_PX = 16;

/** The longest side of a crop that is reported, from which a later model may learn. */
const MAX_CROP_PX = 512;

/** @param {number} value @param {number} low @param {number} high */
const clamp = (value, low, high) => Math.min(Math.max(value, low), Math.max(low, high));

/**
 * Round a box to whole pixels and shift it, then trim it, so that it lies in the picture.
 * @param {Box} box @param {Size} size @returns {Box}
 */
export function clampBox(box, size) {
  const width = clamp(Math.round(box.width), Math.min(MIN_BOX_PX, size.width), size.width);
  const height = clamp(Math.round(box.height), Math.min(MIN_BOX_PX, size.height), size.height);
  return {
    x: clamp(Math.round(box.x), 0, size.width - width),
    y: clamp(Math.round(box.y), 0, size.height - height),
    width,
    height,
  };
}

/**
 * Cut off what lies outside of the space; for a box whose edge is being dragged.
 * @param {Box} box @param {Size} size @returns {Box}
 */
export function trimBox(box, size) {
  const x = clamp(box.x, 0, size.width);
  const y = clamp(box.y, 0, size.height);
  return {
    x,
    y,
    width: clamp(box.x + box.width, 0, size.width) - x,
    height: clamp(box.y + box.height, 0, size.height) - y,
  };
}

/**
 * Push a box back into the space without changing its size; for a box that is being dragged.
 * @param {Box} box @param {Size} size @returns {Box}
 */
export function shiftBox(box, size) {
  return {
    ...box,
    x: clamp(box.x, 0, size.width - box.width),
    y: clamp(box.y, 0, size.height - box.height),
  };
}

/** @param {Box} box @param {number} dx @param {number} dy @param {Size} size @returns {Box} */
export function moveBox(box, dx, dy, size) {
  return clampBox({ ...box, x: box.x + dx, y: box.y + dy }, size);
}

/**
 * Move the right and lower edge; the upper left corner stays.
 * @param {Box} box @param {number} dx @param {number} dy @param {Size} size @returns {Box}
 */
export function resizeBox(box, dx, dy, size) {
  const width = clamp(box.width + dx, MIN_BOX_PX, size.width - box.x);
  const height = clamp(box.height + dy, MIN_BOX_PX, size.height - box.y);
  return clampBox({ ...box, width, height }, size);
}

/** A box to start from: a square in the middle. @param {Size} size @returns {Box} */
export function middleBox(size) {
  const side = Math.min(size.width, size.height) * 0.4;
  return clampBox(
    { x: (size.width - side) / 2, y: (size.height - side) / 2, width: side, height: side },
    size,
  );
}

/**
 * A box as many times as wide and high about the same middle, cut to the space.
 * @param {Box} box @param {number} times @param {Size} size @returns {Box}
 */
export function growBox(box, times, size) {
  const left = clamp(Math.round(box.x + box.width / 2 - (box.width * times) / 2), 0, size.width - 1);
  const top = clamp(Math.round(box.y + box.height / 2 - (box.height * times) / 2), 0, size.height - 1);
  const right = clamp(Math.round(box.x + box.width / 2 + (box.width * times) / 2), left + 1, size.width);
  const bottom = clamp(Math.round(box.y + box.height / 2 + (box.height * times) / 2), top + 1, size.height);
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/** As `growBox`, over the picture's edge too. @param {Box} box @param {number} times @returns {Box} */
export function spreadBox(box, times) {
  const width = Math.max(1, Math.round(box.width * times));
  const height = Math.max(1, Math.round(box.height * times));
  const x = Math.round(box.x + box.width / 2 - width / 2);
  return { x, y: Math.round(box.y + box.height / 2 - height / 2), width, height };
}

/** Where a box lies after its picture was turned a quarter clockwise. @param {Box} box @param {Size} size before @returns {Box} */
export function turnBox({ x, y, width, height }, size) {
  return { x: size.height - y - height, y: x, width: height, height: width };
}

/** How far one press of an arrow key goes, in picture pixels. @param {Size} size */
export function keyStep(size) {
  return Math.max(1, Math.round(Math.max(size.width, size.height) / 200));
}

/** @param {Box} a @param {Box} b */
export function sameBox(a, b) {
  return a.x === b.x && a.y === b.y && a.width === b.width && a.height === b.height;
}

/** Shared area over joint area, 0 to 1. @param {Box} a @param {Box} b */
export function overlap(a, b) {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / (a.width * a.height + b.width * b.height - shared);
}

/**
 * Sort boxes as people read: in rows from the top, each from the left.
 * @param {readonly Box[]} boxes @returns {Box[]}
 */
export function inReadingOrder(boxes) {
  const middle = (/** @type {Box} */ box) => box.y + box.height / 2;
  /** @type {Box[][]} */
  const rows = [];
  for (const box of [...boxes].sort((a, b) => middle(a) - middle(b))) {
    const row = rows.at(-1);
    if (row && middle(box) - middle(row[0]) < Math.min(box.height, row[0].height) / 2) row.push(box);
    else rows.push([box]);
  }
  return rows.flatMap((row) => row.sort((a, b) => a.x - b.x));
}

/**
 * Screen pixels for one picture pixel, so that the picture fits the width and, unless it is very
 * tall, the height. Small pictures grow up to four times.
 * @param {Size} picture @param {Size} space
 */
export function fitScale(picture, space) {
  const byWidth = space.width / picture.width;
  const byHeight = space.height / picture.height;
  return Math.min(4, byWidth, Math.max(byHeight, byWidth / 2));
}

/** @param {Box} box @param {number} scale @returns {Box} */
export function viewOfBox(box, scale) {
  return {
    x: box.x * scale,
    y: box.y * scale,
    width: box.width * scale,
    height: box.height * scale,
  };
}

/** @param {Box} view @param {number} scale @param {Size} size @returns {Box} */
export function boxOfView(view, scale, size) {
  return clampBox(viewOfBox(view, 1 / scale), size);
}

/**
 * The size at which a crop is sent: its own, or scaled down to the longest side.
 * @param {Size} box @param {number} [longest] @returns {Size}
 */
export function cropSize(box, longest = MAX_CROP_PX) {
  const scale = Math.min(1, longest / Math.max(box.width, box.height));
  return {
    width: Math.max(1, Math.round(box.width * scale)),
    height: Math.max(1, Math.round(box.height * scale)),
  };
}

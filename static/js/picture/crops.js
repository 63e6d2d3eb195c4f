/**
 * Boxes → crops, cut from the picture's own pixels.
 */

import { shownPart, wholeOf } from "../faces/bars.js";
import { cropSize, growBox, spreadBox } from "../faces/geometry.js";
import { settings } from "../page/messages.js";

/** @typedef {import("../faces/geometry.js").Box} Box */
/** @typedef {Box & {roll?: number}} FaceBox `roll`: how far the face leans clockwise, in degrees */

/** Leaves room for the rest of the request under the server's 8 MiB. */
const MAX_CROPS_CHARACTERS = 7 * 1024 * 1024;
/** From exact to small; the last fits whatever the pixels are. */
const ENCODINGS = [
  { type: "image/png", quality: 1, share: 1 },
  { type: "image/jpeg", quality: 0.95, share: 1 },
  { type: "image/jpeg", quality: 0.9, share: 0.5 },
];

/** How many times as wide as a face's box the crop is that the model sees. */
let cropTimes = settings.crop_margin;

/**
 * Boxes are as tight as their detector makes them; the model wants more around.
 * @param {number} boxScale @returns {boolean} whether crops are others now
 */
export function fitCropsTo(boxScale) {
  const before = cropTimes;
  cropTimes = settings.crop_margin / boxScale;
  return cropTimes !== before;
}

/** Until the face finder is there, crops of kept faces are as they were. @param {number} times */
export function resumeCropTimes(times) {
  cropTimes = times;
}

/** How many times as wide as a face's box what the model sees is. */
export function seenTimes() {
  return cropTimes;
}

/**
 * What the model sees of a face, and how far it is turned.
 * @param {FaceBox} face @param {Box} part of the picture that nothing reaches out of
 */
function findWindow({ roll = 0, ...box }, part) {
  if (Math.abs(roll) >= settings.upright_from_deg) return { box: spreadBox(box, cropTimes), roll };
  const grown = growBox({ ...box, x: box.x - part.x, y: box.y - part.y }, cropTimes, part);
  return { box: { ...grown, x: grown.x + part.x, y: grown.y + part.y }, roll: 0 };
}

/** @param {Box} box @param {Box} part */
function isWithin(box, part) {
  const isAcross = box.x >= part.x && box.x + box.width <= part.x + part.width;
  return isAcross && box.y >= part.y && box.y + box.height <= part.y + part.height;
}

/** For crops of a playing picture, of which there are many: small and quickly made. */
const QUICK = { type: "image/jpeg", quality: 0.92, longest: 256 };

/**
 * Draw a face's crop onto a new canvas, upright; what is transparent becomes white, as on the server.
 * Of black bars around the picture nothing is seen, unless the box was drawn there.
 * @param {ImageBitmap} bitmap @param {FaceBox} face @param {number} [longest] side of the result
 * @param {Box} [within] the part without bars
 */
export function cutCrop(bitmap, face, longest, within = shownPart(bitmap)) {
  const part = isWithin(face, within) ? within : wholeOf(bitmap);
  const { box, roll } = findWindow(face, part);
  const canvas = document.createElement("canvas");
  const { width, height } = cropSize(box, longest);
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  if (!context) throw new Error("no 2d canvas");
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  if (roll === 0) {
    context.drawImage(bitmap, box.x, box.y, box.width, box.height, 0, 0, width, height);
    return canvas;
  }
  context.scale(width / box.width, height / box.height);
  context.translate(box.width / 2, box.height / 2);
  context.rotate((-roll * Math.PI) / 180);
  const [left, top] = [part.x - box.x - box.width / 2, part.y - box.y - box.height / 2];
  context.drawImage(bitmap, part.x, part.y, part.width, part.height, left, top, part.width, part.height);
  return canvas;
}

/**
 * Encode crops for one request: exact as PNG, or as JPEG where that would be too much to send.
 * @param {ImageBitmap} bitmap @param {readonly FaceBox[]} boxes @returns {string[]} data URLs
 */
export function encodeCrops(bitmap, boxes) {
  /** @type {string[]} */
  let crops = [];
  for (const { type, quality, share } of ENCODINGS) {
    const longest = settings.crop_px * share;
    crops = boxes.map((box) => cutCrop(bitmap, box, longest).toDataURL(type, quality));
    if (crops.reduce((sum, crop) => sum + crop.length, 0) <= MAX_CROPS_CHARACTERS) break;
  }
  return crops;
}

/**
 * Encode crops of a frame that is gone in a moment.
 * @param {ImageBitmap} bitmap @param {readonly FaceBox[]} boxes @param {Box} part of the frame without bars
 * @returns {string[]} data URLs
 */
export function encodeQuickCrops(bitmap, boxes, part) {
  const crops = boxes.map((box) => cutCrop(bitmap, box, QUICK.longest, part));
  return crops.map((crop) => crop.toDataURL(QUICK.type, QUICK.quality));
}

/**
 * Boxes → crops, cut from the picture's own pixels.
 */

import { cropSize, growBox } from "../faces/geometry.js";
import { settings } from "../page/messages.js";

/** @typedef {import("../faces/geometry.js").Box} Box */

/** Leaves room for the rest of the request under the server's 8 MiB. */
const MAX_CROPS_CHARACTERS = 7 * 1024 * 1024;
/** From exact to small; the last fits whatever the pixels are. */
const ENCODINGS = [
  { type: "image/png", quality: 1, share: 1 },
  { type: "image/jpeg", quality: 0.95, share: 1 },
  { type: "image/jpeg", quality: 0.9, share: 0.5 },
];

/** How many times as wide as a face's box the crop is that the model sees. */
let cropTimes = 1;

/** Boxes are as tight as their detector makes them; the model wants more around. @param {number} boxScale */
export function fitCropsTo(boxScale) {
  cropTimes = settings.crop_margin / boxScale;
}

/**
 * What the model sees of a face.
 * @param {Box} box @param {import("../faces/geometry.js").Size} picture @returns {Box}
 */
export function seenBox(box, picture) {
  return growBox(box, cropTimes, picture);
}

/** For crops of a playing picture, of which there are many: small and quickly made. */
const QUICK = { type: "image/jpeg", quality: 0.92, longest: 256 };

/**
 * Draw a face's crop onto a new canvas; what is transparent becomes white, as on the server.
 * @param {ImageBitmap} bitmap @param {Box} face @param {number} [longest] side of the result
 */
export function cutCrop(bitmap, face, longest) {
  const box = seenBox(face, bitmap);
  const canvas = document.createElement("canvas");
  const { width, height } = cropSize(box, longest);
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  if (!context) throw new Error("no 2d canvas");
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, box.x, box.y, box.width, box.height, 0, 0, width, height);
  return canvas;
}

/**
 * Encode crops for one request: exact as PNG, or as JPEG where that would be too much to send.
 * @param {ImageBitmap} bitmap @param {readonly Box[]} boxes @returns {string[]} data URLs
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
 * @param {ImageBitmap} bitmap @param {readonly Box[]} boxes @returns {string[]} data URLs
 */
export function encodeQuickCrops(bitmap, boxes) {
  return boxes.map((box) => cutCrop(bitmap, box, QUICK.longest).toDataURL(QUICK.type, QUICK.quality));
}

/**
 * Boxes → crops, cut from the picture's own pixels.
 */

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
let cropTimes = 1;

/** Boxes are as tight as their detector makes them; the model wants more around. @param {number} boxScale */
export function fitCropsTo(boxScale) {
  cropTimes = settings.crop_margin / boxScale;
}

/** How many times as wide as a face's box what the model sees is. */
export function seenTimes() {
  return cropTimes;
}

/**
 * What the model sees of a face, and how far it is turned.
 * @param {FaceBox} face @param {import("../faces/geometry.js").Size} picture
 */
function findWindow({ roll = 0, ...box }, picture) {
  if (Math.abs(roll) < settings.upright_from_deg) return { box: growBox(box, cropTimes, picture), roll: 0 };
  return { box: spreadBox(box, cropTimes), roll };
}

/** For crops of a playing picture, of which there are many: small and quickly made. */
const QUICK = { type: "image/jpeg", quality: 0.92, longest: 256 };

/**
 * Draw a face's crop onto a new canvas, upright; what is transparent becomes white, as on the server.
 * @param {ImageBitmap} bitmap @param {FaceBox} face @param {number} [longest] side of the result
 */
export function cutCrop(bitmap, face, longest) {
  const { box, roll } = findWindow(face, bitmap);
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
  context.drawImage(bitmap, -box.x - box.width / 2, -box.y - box.height / 2);
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
 * @param {ImageBitmap} bitmap @param {readonly FaceBox[]} boxes @returns {string[]} data URLs
 */
export function encodeQuickCrops(bitmap, boxes) {
  return boxes.map((box) => cutCrop(bitmap, box, QUICK.longest).toDataURL(QUICK.type, QUICK.quality));
}

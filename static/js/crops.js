/**
 * Boxes → crops, cut from the picture's own pixels.
 */

import { cropSize } from "./geometry.js";

/** @typedef {import("./geometry.js").Box} Box */

/** Leaves room for the rest of the request under the server's 8 MiB. */
const MAX_CROPS_CHARACTERS = 7 * 1024 * 1024;
const JPEG_QUALITY = 0.95;

/**
 * Draw what is in the box onto a new canvas; what is transparent becomes white, as on the server.
 * @param {ImageBitmap} bitmap @param {Box} box @param {number} [longest] side of the result
 */
export function cutCrop(bitmap, box, longest) {
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
  const canvases = boxes.map((box) => cutCrop(bitmap, box));
  /** @type {string[]} */
  const exact = [];
  let characters = 0;
  for (const canvas of canvases) {
    const url = canvas.toDataURL("image/png");
    characters += url.length;
    if (characters > MAX_CROPS_CHARACTERS) {
      return canvases.map((each) => each.toDataURL("image/jpeg", JPEG_QUALITY));
    }
    exact.push(url);
  }
  return exact;
}

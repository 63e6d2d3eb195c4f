/**
 * A picture file → the faces in it as crops; found and cut out in this browser.
 */

import { shownPart } from "../faces/bars.js";
import { Detector } from "../faces/detector.js";
import { settings } from "../page/messages.js";
import { cutCrop, fitCropsTo } from "../picture/crops.js";
import { openPicture } from "../picture/picture.js";

/** More than the network looks at; twenty of them fit into one request. */
const LONGEST_PX = 512;

const detector = new Detector(settings.urls);

/**
 * The faces of a picture, the largest first; the whole picture where none is found.
 * @param {Blob} file
 * @returns {Promise<{crops: string[], found: number}>} data URLs, and how many faces were found
 */
export async function cutFaces(file) {
  const picture = await openPicture(file);
  try {
    const { bitmap } = picture;
    const found = await findFaces(bitmap);
    const boxes = found.map(({ box, roll = 0 }) => ({ ...box, roll }));
    if (boxes.length === 0) boxes.push({ ...shownPart(bitmap), roll: 0 });
    const crops = boxes.map((box) => cutCrop(bitmap, box, LONGEST_PX).toDataURL("image/jpeg", 0.95));
    return { crops, found: found.length };
  } finally {
    picture.close();
  }
}

/** @param {ImageBitmap} bitmap @returns {Promise<import("../faces/detector.js").FoundFace[]>} none without a face finder */
async function findFaces(bitmap) {
  try {
    await detector.load();
    fitCropsTo(detector.boxScale);
    const found = await detector.detectShown(bitmap);
    return found.filter((face) => detector.isShown(face, detector.defaultLevel));
  } catch {
    return [];
  }
}

/**
 * Notices when a playing picture goes over to another scene, by small copies of it.
 */

import { isCut } from "./tracks.js";

/** Size of the copies by which scenes are told apart, and how often one is made. */
const GLIMPSE = { width: 16, height: 9 };
const GLIMPSE_MS = 80;

export class CutWatch {
  /** @type {ArrayLike<number>} */
  #before = [];
  #lookedAt = 0;

  constructor() {
    const { width, height } = GLIMPSE;
    this.context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    if (this.context) this.context.imageSmoothingQuality = "medium"; // "low" leaves most pixels out: a pan seems a cut
  }

  /** What is shown next is no cut, whatever it is: the picture was started, or moved to another place. */
  forget() {
    this.#before = [];
  }

  /**
   * Whether another scene has begun since the last call that looked.
   * @param {HTMLVideoElement | HTMLCanvasElement} surface @param {number} now in milliseconds
   */
  hasCut(surface, now) {
    if (!this.context || now - this.#lookedAt < GLIMPSE_MS) return false;
    const { width, height } = GLIMPSE;
    this.context.drawImage(surface, 0, 0, width, height);
    const glimpse = this.context.getImageData(0, 0, width, height).data;
    const before = this.#before;
    this.#before = glimpse;
    this.#lookedAt = now;
    return isCut(before, glimpse);
  }
}

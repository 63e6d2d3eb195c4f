/**
 * The place in which the picture lies: how large the picture is shown in it, and drawing it there.
 */

import { fitScale } from "./geometry.js";

/** @typedef {import("./geometry.js").Size} Size */

/** The picture takes at most this share of the window's height, if it is not very tall. */
const HEIGHT_SHARE = 0.72;
/** … and this where the answers stand below it, so that the first name is seen at once. */
const STACKED_HEIGHT_SHARE = 0.4;
const MIN_HEIGHT_CSS_PX = 260;
/** The picture is drawn with at most so many pixels, however large it is shown. */
const MAX_SHOWN_PIXELS = 16e6;
/** The answers stand beside the picture; as in page.css. */
const beside = matchMedia("(min-width: 992px)");

/**
 * Set up the stage for a picture; a zoomed one is scrolled in the place that it had before.
 * @param {HTMLElement} stage @param {Size} picture @param {number} zoom 1: it fits
 * @returns {number} screen pixels for one picture pixel
 */
export function fitStage(stage, picture, zoom) {
  const share = beside.matches ? HEIGHT_SHARE : STACKED_HEIGHT_SHARE;
  const height = Math.max(MIN_HEIGHT_CSS_PX, innerHeight * share);
  const scale = fitScale(picture, { width: stage.offsetWidth, height });
  stage.classList.toggle("is-zoomed", zoom > 1);
  stage.style.height = zoom > 1 ? `${picture.height * scale}px` : "";
  return scale * zoom;
}

/** Draw a picture as sharp as the screen shows it. @param {HTMLCanvasElement} canvas @param {ImageBitmap} bitmap @param {Size} shown in CSS pixels */
export function drawShown(canvas, bitmap, shown) {
  const most = Math.sqrt(MAX_SHOWN_PIXELS / (shown.width * shown.height));
  const density = Math.min(devicePixelRatio, most, Math.max(1, bitmap.width / shown.width));
  canvas.width = Math.max(1, Math.round(shown.width * density));
  canvas.height = Math.max(1, Math.round(shown.height * density));
  const context = canvas.getContext("2d");
  if (!context) return;
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
}

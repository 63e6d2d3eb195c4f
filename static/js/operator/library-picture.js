/**
 * A picture of the library on the page: its copy from the server, and boxes over it.
 */

import { say, sayPercent } from "../page/messages.js";

/** @typedef {import("./library-search.js").Picture} Picture */
/** @typedef {import("./library-search.js").Face} Face */

const SVG = "http://www.w3.org/2000/svg";
/** A busy server is asked again so often. */
const ATTEMPTS = 4;
const PAUSE_MS = 1_500;
/** Height of a name in the picture, by the picture's longer side. */
const NAME_SHARE = 1 / 28;

/**
 * Show a copy of a picture; where there is none, tell why.
 * @param {HTMLImageElement} image @param {Picture} picture @param {"small" | "large"} size
 * @param {(words: string) => void} fail
 */
export function showPicture(image, { id }, size, fail) {
  const address = `/operator/library/pictures/${id}?size=${size}`;
  let attempts = 1;
  image.onerror = async () => {
    const status = await fetch(address).then((response) => response.status, () => 0);
    if (image.getAttribute("src") !== address) return; // another one is shown by now
    if (status === 404) fail(say("group_gone"));
    else if (attempts >= ATTEMPTS || status === 401) fail(say("library_not_shown"));
    else {
      setTimeout(() => {
        if (image.getAttribute("src") === address) image.src = address;
      }, PAUSE_MS * attempts);
      attempts += 1;
    }
  };
  image.src = address;
}

/**
 * Draw boxes over a picture that fills its frame like `object-fit: contain`.
 * @param {SVGSVGElement} canvas @param {Picture} picture @param {Face[]} faces @param {boolean} [named]
 */
export function drawBoxes(canvas, { width, height }, faces, named = false) {
  canvas.setAttribute("viewBox", `0 0 ${width} ${height}`);
  canvas.replaceChildren(...faces.map((face) => createBox(face)));
  if (named) canvas.append(...faces.map((face) => createName(face, width, Math.max(width, height) * NAME_SHARE)));
}

/** @param {Face} face */
function createBox({ id, box: [x, y, width, height], meant }) {
  const shape = document.createElementNS(SVG, "rect");
  for (const [name, value] of Object.entries({ x, y, width, height })) shape.setAttribute(name, String(value));
  shape.dataset.face = String(id);
  shape.classList.toggle("is-meant", meant);
  return shape;
}

/** @param {Face} face @param {number} within width of the picture @param {number} size of the letters */
function createName(face, within, size) {
  const [x, y, width, height] = face.box;
  const name = document.createElementNS(SVG, "text");
  name.textContent = sayFace(face);
  const isLeft = x + width / 2 < within / 2;
  const above = y > 1.2 * size;
  name.setAttribute("x", String(isLeft ? Math.max(0, x) : Math.min(within, x + width)));
  name.setAttribute("y", String(above ? y - 0.35 * size : y + height + size));
  name.setAttribute("font-size", String(size));
  name.setAttribute("text-anchor", isLeft ? "start" : "end");
  return name;
}

/** Who a face is, as far as is known. @param {Face} face */
function sayFace({ name, status, label }) {
  if (label === null) return say("library_unknown_face");
  return status === "probably" ? say("library_probably", { name }) : name;
}

/** @param {Face} face with its confidence, where somebody is named */
export function sayFaceSurely(face) {
  return face.label === null ? sayFace(face) : `${sayFace(face)} ${sayPercent(face.confidence)}`;
}

/**
 * A picture of the library large, with all its faces; the arrows go on from one to the next.
 */

import { closeFromOutside } from "../page/dialogs.js";
import { byId, copyTemplate, part } from "../page/elements.js";
import { say } from "../page/messages.js";
import { drawBoxes, sayFaceSurely, showPicture } from "./library-picture.js";

/** @typedef {import("./library-search.js").Picture} Picture */
/** @typedef {import("./library-search.js").Face} Face */
/**
 * @typedef {object} ViewerActs
 * @property {(place: number) => void} leave it was closed at this place
 * @property {(face: number) => void} seek look for a face
 */

export class PictureViewer {
  /** @type {Picture[]} */
  #pictures = [];
  #place = 0;
  /** Place of the first one among all that were found, from 1. */
  #first = 1;
  #total = 0;

  /** @param {ViewerActs} acts */
  constructor(acts) {
    this.acts = acts;
    this.dialog = byId("viewer", HTMLDialogElement);
    this.image = byId("viewer-image", HTMLImageElement);
    this.gone = byId("viewer-gone", HTMLElement);
    this.previous = byId("viewer-previous", HTMLButtonElement);
    this.next = byId("viewer-next", HTMLButtonElement);
    this.previous.addEventListener("click", () => this.#go(this.#place - 1));
    this.next.addEventListener("click", () => this.#go(this.#place + 1));
    this.dialog.addEventListener("keydown", (event) => this.#handleKey(event));
    this.dialog.addEventListener("close", () => {
      this.image.removeAttribute("src");
      this.acts.leave(this.#place);
    });
    closeFromOutside(this.dialog);
  }

  /** @param {Picture[]} pictures of a page @param {number} place @param {number} first @param {number} total */
  open(pictures, place, first, total) {
    this.#pictures = pictures;
    this.#first = first;
    this.#total = total;
    this.dialog.showModal();
    this.#go(place);
  }

  /** @param {number} place */
  #go(place) {
    const picture = this.#pictures[place];
    if (!picture) return;
    this.#place = place;
    byId("viewer-title", HTMLElement).textContent = picture.file;
    byId("viewer-path", HTMLElement).textContent = picture.path;
    byId("viewer-place", HTMLElement).textContent = say("library_position", { number: this.#first + place, total: this.#total });
    this.previous.setAttribute("aria-disabled", String(place === 0));
    this.next.setAttribute("aria-disabled", String(place === this.#pictures.length - 1));
    this.gone.textContent = "";
    this.image.hidden = false;
    this.image.alt = picture.faces.map(sayFaceSurely).join(", ") || say("library_no_faces");
    showPicture(this.image, picture, "large", (words) => {
      this.image.hidden = true;
      this.gone.textContent = words;
    });
    const canvas = this.dialog.querySelector("svg.library-boxes");
    if (canvas instanceof SVGSVGElement) drawBoxes(canvas, picture, picture.faces, true);
    byId("viewer-faces", HTMLElement).replaceChildren(...picture.faces.map((face) => this.#createFace(face)));
    byId("viewer-none", HTMLElement).hidden = picture.faces.length > 0;
  }

  /** @param {Face} face */
  #createFace(face) {
    const item = copyTemplate("viewer-face-template");
    part(item, ".viewer-name").textContent = sayFaceSurely(face);
    part(item, ".viewer-work").textContent = face.work;
    const button = part(item, "button");
    button.setAttribute("aria-label", say("library_seek", { name: sayFaceSurely(face) }));
    button.addEventListener("click", () => {
      this.dialog.close();
      this.acts.seek(face.id);
    });
    const mark = (/** @type {boolean} */ on) => {
      this.dialog.querySelector(`rect[data-face="${face.id}"]`)?.classList.toggle("is-marked", on);
    };
    item.addEventListener("pointerenter", () => mark(true));
    item.addEventListener("pointerleave", () => mark(false));
    button.addEventListener("focus", () => mark(true));
    button.addEventListener("blur", () => mark(false));
    return item;
  }

  /** @param {KeyboardEvent} event */
  #handleKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    /** @type {Record<string, number>} */
    const moves = { ArrowRight: this.#place + 1, ArrowLeft: this.#place - 1, Home: 0, End: this.#pictures.length - 1 };
    if (!(event.key in moves)) return;
    event.preventDefault();
    this.#go(moves[event.key]);
  }
}

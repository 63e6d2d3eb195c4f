/**
 * The pictures that were found: one of them has the focus, several may be chosen.
 */

import { byId, copyTemplate, part } from "../page/elements.js";
import { say } from "../page/messages.js";
import { drawBoxes, sayFaceSurely, showPicture } from "./library-picture.js";

/** @typedef {import("./library-search.js").Picture} Picture */
/**
 * @typedef {object} GridActs
 * @property {(place: number) => void} open show a picture large
 * @property {() => void} choose what is chosen has changed
 */

export class PictureGrid {
  /** @type {Picture[]} */
  pictures = [];
  /** Chosen pictures by their numbers, those of other pages too. @type {Map<number, Picture>} */
  chosen = new Map();
  /** @type {HTMLElement[]} */
  #tiles = [];
  /** Where a choice with Shift begins. */
  #anchor = 0;

  /** @param {GridActs} acts */
  constructor(acts) {
    this.acts = acts;
    this.list = byId("library-grid", HTMLElement);
    this.list.addEventListener("click", (event) => this.#handleClick(event));
    this.list.addEventListener("keydown", (event) => this.#handleKey(event));
  }

  /** @param {Picture[]} pictures @param {boolean} byFace the measure is a similarity */
  show(pictures, byFace) {
    const focused = this.#tiles.findIndex((tile) => tile === document.activeElement);
    const looked = this.pictures[focused]?.id;
    this.pictures = pictures;
    this.#anchor = 0;
    this.#tiles = pictures.map((picture) => createTile(picture, byFace));
    if (this.#tiles[0]) this.#tiles[0].tabIndex = 0;
    this.list.replaceChildren(...this.#tiles);
    this.list.hidden = pictures.length === 0;
    for (const picture of pictures) if (this.chosen.has(picture.id)) this.chosen.set(picture.id, picture);
    this.#mark();
    if (focused < 0) return;
    const kept = pictures.findIndex(({ id }) => id === looked);
    this.focus(kept < 0 ? Math.min(focused, pictures.length - 1) : kept);
  }

  /** @param {number} [place] */
  focus(place = 0) {
    const tile = this.#tiles[place];
    if (!tile) return;
    for (const each of this.#tiles) each.tabIndex = each === tile ? 0 : -1;
    tile.focus();
  }

  chooseNone() {
    this.chosen.clear();
    this.#changed();
  }

  chooseAll() {
    for (const picture of this.pictures) this.chosen.set(picture.id, picture);
    this.#changed();
  }

  #changed() {
    this.#mark();
    this.acts.choose();
  }

  #mark() {
    this.pictures.forEach(({ id }, place) => {
      this.#tiles[place].setAttribute("aria-selected", String(this.chosen.has(id)));
    });
  }

  /** @param {number} place */
  #toggle(place) {
    const picture = this.pictures[place];
    if (!this.chosen.delete(picture.id)) this.chosen.set(picture.id, picture);
    this.#anchor = place;
    this.#changed();
  }

  /** Choose from the anchor to a place, and nothing else of this page. @param {number} place */
  #extend(place) {
    const [first, last] = [Math.min(this.#anchor, place), Math.max(this.#anchor, place)];
    this.pictures.forEach((picture, each) => {
      if (each >= first && each <= last) this.chosen.set(picture.id, picture);
      else this.chosen.delete(picture.id);
    });
    this.#changed();
  }

  /** @param {MouseEvent} event */
  #handleClick(event) {
    const { target } = event;
    const tile = target instanceof Element ? target.closest(".library-tile") : null;
    const place = tile instanceof HTMLElement ? this.#tiles.indexOf(tile) : -1;
    if (place < 0) return;
    this.focus(place);
    const isMark = target instanceof Element && target.closest(".library-check") !== null;
    if (event.shiftKey) this.#extend(place);
    else if (isMark || event.ctrlKey || event.metaKey) this.#toggle(place);
    else this.acts.open(place);
  }

  /** How many tiles stand in a line. */
  #countColumns() {
    const top = this.#tiles[0]?.offsetTop;
    const below = this.#tiles.findIndex((tile) => tile.offsetTop !== top);
    return below < 0 ? this.#tiles.length : below;
  }

  /** @param {KeyboardEvent} event */
  #handleKey(event) {
    const place = this.#tiles.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (place < 0 || event.altKey || event.isComposing) return;
    const isCommand = event.ctrlKey || event.metaKey;
    const last = this.#tiles.length - 1;
    const line = this.#countColumns();
    const down = place + line > last && Math.floor(place / line) < Math.floor(last / line) ? last : place + line;
    /** @type {Record<string, number>} */
    const moves = { ArrowRight: place + 1, ArrowLeft: place - 1, ArrowDown: down, ArrowUp: place - line, Home: 0, End: last };
    if (event.key in moves) this.#move(place, moves[event.key], event.shiftKey);
    else if (isCommand && event.key.toLowerCase() === "a") this.chooseAll();
    else if (event.key === " " && isCommand) this.#toggle(place);
    else if ((event.key === " " || event.key === "Enter") && !isCommand) this.acts.open(place);
    else return;
    event.preventDefault();
  }

  /** @param {number} from @param {number} to @param {boolean} choosing */
  #move(from, to, choosing) {
    if (to < 0 || to >= this.#tiles.length) return;
    if (!choosing) this.#anchor = to;
    else if (this.chosen.size === 0) this.#anchor = from;
    this.focus(to);
    if (choosing) this.#extend(to);
  }
}

/** @param {Picture} picture @param {boolean} byFace */
function createTile(picture, byFace) {
  const tile = copyTemplate("tile-template");
  const meant = picture.faces.filter((face) => face.meant);
  const { measure } = picture;
  const words = meant.map(sayFaceSurely);
  if (byFace && measure !== null) words.unshift(say("library_similarity", { share: measure.toFixed(2) }));
  part(tile, ".library-names").textContent = words.join(" · ");
  part(tile, ".library-path").textContent = picture.file;
  tile.title = picture.path;
  const canvas = tile.querySelector("svg");
  if (canvas) drawBoxes(canvas, picture, meant);
  const image = part(tile, "img");
  if (image instanceof HTMLImageElement) {
    showPicture(image, picture, "small", (words) => {
      tile.classList.add("is-gone");
      part(tile, ".library-gone").textContent = words;
    });
  }
  return tile;
}

/**
 * What is to be seen while a picture plays: the playing picture over the still one, a box with a name on
 * every face, and beside it the list of everybody who was recognized so far.
 */

import { cutCrop } from "../picture/crops.js";
import { byId, copyTemplate, part } from "../page/elements.js";
import { say, sayPercent } from "../page/messages.js";

/** @typedef {import("../faces/geometry.js").Size} Size */
/** @typedef {import("./tracks.js").Track} Track */

const PORTRAIT_PX = 96;
/** One answer alone may err: the list is for those who were named again. */
const ANSWERS_TO_LIST = 2;

export class LiveView {
  /** @type {Map<number, HTMLElement>} */
  #boxes = new Map();
  /** Everybody seen so far, by label. @type {Map<string, {entry: HTMLElement, confidence: number}>} */
  #cast = new Map();

  /** @param {HTMLElement} ground what the picture lies on @param {() => void} pause */
  constructor(ground, pause) {
    this.ground = ground;
    this.workspace = byId("workspace", HTMLElement);
    this.panel = byId("live-panel", HTMLElement);
    this.list = byId("live-cast", HTMLOListElement);
    this.nobody = byId("live-nobody", HTMLElement);
    this.layer = document.createElement("div");
    this.layer.className = "live-layer position-absolute top-0 start-0 z-2 w-100 h-100 overflow-hidden";
    this.layer.addEventListener("click", pause);
    // The picture's own handling of drags and keys is for the still picture under it.
    this.layer.addEventListener("pointerdown", (event) => event.stopPropagation());
  }

  /** @param {HTMLElement} surface the playing picture */
  show(surface) {
    surface.classList.add("live-surface", "d-block", "w-100", "h-100", "object-fit-fill");
    surface.setAttribute("role", "img");
    surface.setAttribute("aria-label", say("live_picture"));
    this.layer.replaceChildren(surface);
    this.ground.append(this.layer);
    this.workspace.toggleAttribute("data-live", true);
    this.panel.hidden = false;
  }

  /** Take the boxes away; the playing picture stands still until `hide`. */
  clear() {
    this.render([], { width: 1, height: 1 });
    this.#cast.forEach(({ entry }) => entry.toggleAttribute("data-now", false));
    this.workspace.toggleAttribute("data-live", false);
    this.panel.hidden = true;
  }

  hide() {
    this.layer.remove();
  }

  /** Another picture: nobody was seen in it yet. */
  forget() {
    this.#cast.clear();
    this.list.replaceChildren();
    this.nobody.hidden = false;
  }

  /** @param {readonly Track[]} tracks @param {Size} size of the picture that their boxes are in */
  render(tracks, size) {
    const ids = new Set(tracks.map(({ id }) => id));
    for (const [id, box] of this.#boxes) {
      if (ids.has(id)) continue;
      box.remove();
      this.#boxes.delete(id);
    }
    for (const track of tracks) this.#renderBox(track, size);
    const now = new Set(tracks.map(({ name }) => (name?.verdict === "known" ? name.label : "")));
    for (const [label, { entry }] of this.#cast) entry.toggleAttribute("data-now", now.has(label));
  }

  /**
   * Who a face is, if that is known: of one answer alone, only somebody who is on the list.
   * @param {Track} track
   */
  recognize({ name, answers }) {
    if (name?.verdict !== "known") return null;
    return answers.length >= ANSWERS_TO_LIST || this.#cast.has(name.label) ? name : null;
  }

  /**
   * Put everybody who is named on the list, with the surest portrait.
   * @param {readonly Track[]} tracks @param {ImageBitmap} bitmap in which `found` of each was found
   * @param {import("../faces/geometry.js").Box} shown of it without bars
   * @returns {string[]} names that were not on the list
   */
  addCast(tracks, bitmap, shown) {
    const fresh = [];
    for (const { name, found, answers } of tracks) {
      if (name?.verdict !== "known" || answers.length < ANSWERS_TO_LIST) continue;
      const before = this.#cast.get(name.label);
      if (before && before.confidence >= name.confidence) continue;
      const entry = before?.entry ?? copyTemplate("live-cast-template");
      this.#cast.set(name.label, { entry, confidence: name.confidence });
      entry.toggleAttribute("data-now", true);
      part(entry, ".live-name").textContent = name.name;
      part(entry, ".live-work").textContent = name.work;
      part(entry, ".live-mine").hidden = !name.mine;
      part(entry, ".live-percent").textContent = sayPercent(name.confidence);
      part(entry, ".live-portrait").replaceChildren(cutCrop(bitmap, found, PORTRAIT_PX, shown));
      if (before) continue;
      fresh.push(name.name);
      this.list.append(entry);
    }
    this.nobody.hidden = this.#cast.size > 0;
    return fresh;
  }

  /** @param {Track} track @param {Size} size */
  #renderBox({ id, box, name }, { width, height }) {
    let element = this.#boxes.get(id);
    if (!element) {
      element = copyTemplate("live-box-template");
      this.#boxes.set(id, element);
      this.layer.append(element);
    }
    const share = (/** @type {number} */ part, /** @type {number} */ whole) => `${(100 * part) / whole}%`;
    element.style.left = share(box.x, width);
    element.style.top = share(box.y, height);
    element.style.width = share(box.width, width);
    element.style.height = share(box.height, height);
    element.dataset.track = String(id);
    element.dataset.mark = name?.verdict ?? "";
    // The name hangs where there is room for it.
    element.toggleAttribute("data-from-right", box.x + box.width / 2 > width / 2);
    element.toggleAttribute("data-above", box.y + box.height > 0.88 * height);
    const tag = part(element, ".live-tag");
    const words = tagWords(name);
    if (tag.textContent !== words) tag.textContent = words;
    part(element, ".live-mine").hidden = !name?.mine || name.verdict === "unknown";
  }
}

/** @param {Track["name"]} name */
function tagWords(name) {
  if (!name) return "…";
  if (name.verdict === "unknown") return say("live_unknown");
  return name.verdict === "known" ? name.name : say("maybe", { name: name.name });
}

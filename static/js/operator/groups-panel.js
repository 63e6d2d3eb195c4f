/**
 * The group that is looked at: its faces, who it may be, and what can be said of it.
 */

import { byId, copyTemplate, part } from "../page/elements.js";
import { isTouched, say, sayPercent } from "../page/messages.js";
import { NameForm } from "./name-form.js";

/** @typedef {import("../page/api.js").Character} Character */
/** @typedef {Character & {confidence: number}} Suggestion */
/** @typedef {{id: number, name: string, similarity: number, cover: number}} Near */
/** @typedef {{id: number, size: number, state: string, name: string, faces: number[], asleep: boolean, suggestions: Suggestion[], near: Near[]}} Group */
/**
 * @typedef {object} Acts each returns why it was refused
 * @property {(group: number, name: string, label: string, work: string) => Promise<string>} name
 * @property {(group: number) => Promise<string>} reject
 * @property {(group: number, faces: number[]) => Promise<string>} split
 * @property {(group: number, other: number) => Promise<string>} merge
 */

export class GroupPanel {
  /** Number of the group. @type {number | undefined} */
  group;
  /** @type {HTMLElement[]} */
  #tiles = [];

  /** @param {Acts} acts */
  constructor(acts) {
    this.acts = acts;
    this.form = new NameForm("group", async (name, label, work) => {
      if (this.group === undefined) return "";
      const refused = await this.acts.name(this.group, name, label, work);
      this.focusName();
      return refused;
    });
    this.faces = byId("group-faces", HTMLElement);
    this.splitter = byId("group-split", HTMLButtonElement);
    this.splitter.addEventListener("click", () => void this.split());
    byId("group-reject", HTMLButtonElement).addEventListener("click", () => void this.reject());
    this.faces.addEventListener("click", (event) => {
      const tile = event.target instanceof Element ? event.target.closest(".tile-face") : null;
      if (tile instanceof HTMLElement) this.#toggle(tile);
    });
    this.faces.addEventListener("keydown", (event) => this.#handleKey(event));
  }

  /** @param {Group} group @param {string} title */
  show(group, title) {
    const typing = document.activeElement === this.form.name || document.activeElement === document.body;
    this.group = group.id;
    byId("group-title", HTMLElement).textContent = title;
    this.form.reset();
    this.form.complain(group.asleep ? say("group_asleep") : "");
    byId("group-reject", HTMLButtonElement).disabled = group.state === "not_a_face";
    this.#showFaces(group);
    this.#showSuggestions(group);
    if (typing && !isTouched) this.form.name.focus({ preventScroll: true });
  }

  /** Show which faces the group has by now; what is typed, chosen and has the focus stays. @param {Group} group */
  update(group) {
    const chosen = new Set(this.#chosen().map((tile) => tile.dataset.face));
    const focused = this.#tiles.find((tile) => tile === document.activeElement)?.dataset.face;
    this.#showFaces(group);
    for (const tile of this.#tiles) tile.setAttribute("aria-selected", String(chosen.has(tile.dataset.face)));
    if (focused !== undefined) {
      const tile = this.#tiles.find((each) => each.dataset.face === focused) ?? this.#tiles[0];
      if (tile) this.#focus(tile);
    }
    this.#tellChosen();
    if (!this.#holdsFocus("#group-also, #group-near")) this.#showSuggestions(group);
  }

  /** @param {string} selector */
  #holdsFocus(selector) {
    return Boolean(document.activeElement?.closest(selector));
  }

  focusName() {
    this.form.name.focus();
  }

  /** Take the chosen faces out. */
  async split() {
    const faces = this.#chosen().map((tile) => Number(tile.dataset.face));
    if (this.group === undefined || this.splitter.disabled) return;
    this.form.complain(await this.acts.split(this.group, faces));
    this.#tiles[0]?.focus(); // what had the focus is disabled, or gone
  }

  async reject() {
    if (this.group === undefined || byId("group-reject", HTMLButtonElement).disabled) return;
    this.form.complain(await this.acts.reject(this.group));
  }

  /** @param {Group} group */
  #showFaces({ faces, size }) {
    byId("group-size", HTMLElement).textContent = say("faces", { count: size });
    this.#tiles = faces.map((face, place) => {
      const tile = copyTemplate("face-template");
      const words = say("group_face", { number: place + 1, total: size });
      const image = part(tile, "img");
      tile.dataset.face = String(face);
      tile.setAttribute("aria-label", words);
      image.setAttribute("src", `/operator/groups/faces/${face}`);
      image.addEventListener("error", () => {
        tile.classList.add("is-gone");
        tile.setAttribute("aria-label", `${words}, ${say("group_gone")}`);
        tile.title = say("group_gone");
      });
      return tile;
    });
    if (this.#tiles[0]) this.#tiles[0].tabIndex = 0;
    this.faces.replaceChildren(...this.#tiles);
    byId("group-more", HTMLElement).textContent = size > faces.length ? say("group_more", { count: size - faces.length }) : "";
    this.#tellChosen();
  }

  /** @param {Group} group */
  #showSuggestions({ id, suggestions, near }) {
    byId("group-also", HTMLElement).hidden = suggestions.length === 0;
    byId("group-suggestions", HTMLElement).replaceChildren(
      ...suggestions.map(({ label, name, work, confidence }) =>
        this.#createSuggestion(`${name} ${sayPercent(confidence)}`, work, null, () => this.acts.name(id, "", label, "")),
      ),
    );
    byId("group-near", HTMLElement).hidden = near.length === 0;
    byId("group-others", HTMLElement).replaceChildren(
      ...near.map(({ id: other, name, cover }) => {
        const words = name ? say("group_named", { number: other, name }) : say("group_title", { number: other });
        return this.#createSuggestion(words, "", cover, () => this.acts.merge(id, other));
      }),
    );
  }

  /** @param {string} words @param {string} work @param {number | null} cover @param {() => Promise<string>} act */
  #createSuggestion(words, work, cover, act) {
    const item = copyTemplate("suggestion-template");
    part(item, ".suggestion-words").textContent = words;
    part(item, ".suggestion-work").textContent = work;
    const image = part(item, "img");
    image.hidden = cover === null;
    if (cover !== null) image.setAttribute("src", `/operator/groups/faces/${cover}`);
    part(item, "button").addEventListener("click", async () => {
      this.form.complain(await act());
      this.form.name.focus(); // the button that had the focus goes
    });
    return item;
  }

  #chosen() {
    return this.#tiles.filter((tile) => tile.getAttribute("aria-selected") === "true");
  }

  /** @param {HTMLElement} tile */
  #toggle(tile) {
    tile.setAttribute("aria-selected", String(tile.getAttribute("aria-selected") !== "true"));
    this.#focus(tile);
    this.#tellChosen();
  }

  #tellChosen() {
    const count = this.#chosen().length;
    byId("group-chosen", HTMLElement).textContent = count > 0 ? say("group_chosen", { count }) : "";
    this.splitter.disabled = count === 0 || count === this.#tiles.length;
  }

  /** @param {HTMLElement} tile */
  #focus(tile) {
    for (const each of this.#tiles) each.tabIndex = each === tile ? 0 : -1;
    tile.focus();
  }

  /** @param {KeyboardEvent} event */
  #handleKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const place = this.#tiles.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    if (place < 0) return;
    const last = this.#tiles.length - 1;
    /** @type {Record<string, number>} */
    const moves = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: last };
    if (event.key in moves) {
      const tile = this.#tiles[Math.min(last, Math.max(0, moves[event.key]))];
      this.#focus(tile);
      if (event.shiftKey) tile.setAttribute("aria-selected", "true");
      this.#tellChosen();
    } else if (event.key === " " || event.key === "Enter") this.#toggle(this.#tiles[place]);
    else if (event.key === "Escape") for (const tile of this.#chosen()) this.#toggle(tile);
    else return;
    event.preventDefault();
  }
}

/**
 * The pictures of this tab. Each is an entry of the browser's history, and keeps its boxes and answers: while another
 * one is shown, over a reload, a change of language, and the way to another page and back.
 *
 * Emits `change` when a picture comes, goes, or is shown.
 */

import { byId } from "./elements.js";
import {
  carryOver,
  forgetPicture,
  keepLeaving,
  keepPicture,
  keepUnseen,
  keepView,
  readPictures,
  takeCarried,
} from "./stash.js";
import { PageState } from "./state.js";

/**
 * How a picture looked when it was left.
 * @typedef {object} View
 * @property {number} frame
 * @property {number | null} level
 * @property {number} turns
 * @property {number} width of the picture as it is turned
 * @property {number} height
 * @property {string} language of the answers
 * @property {number} seen how many times as wide as a box its crop was
 * @property {boolean} [searched] its faces were looked for
 * @property {import("./state.js").SavedFaces} saved
 */
/** @typedef {{id: string, name: string, added: number, blob: Blob, view: View | null}} Entry `added`: places them in order */
/**
 * @typedef {object} AlbumActions
 * @property {(entry: Entry) => Promise<boolean>} open show it; false if the browser cannot read it, and no other is opened meanwhile
 * @property {() => View | null} collect how the picture that is shown looks
 * @property {() => void} welcome show the page without a picture
 */

const SAVE_PAUSE_MS = 300;
/** At most so many are taken at once, and kept; the oldest go first. */
export const MAX_PICTURES = 50;

export class Album extends EventTarget {
  /** @type {Entry[]} */
  entries = [];
  /** @type {Entry | null} the one that is shown */
  current = null;
  #timer = 0;
  #lastAdded = 0;

  /** @param {AlbumActions} actions */
  constructor(actions) {
    super();
    this.actions = actions;
    addEventListener("popstate", (event) => this.#travel(event.state));
    addEventListener("pagehide", () => {
      void this.keep();
      keepLeaving(this.current);
    });
    byId("home-link", HTMLAnchorElement).addEventListener("click", (event) => this.#goHome(event));
    for (const link of document.querySelectorAll("a[data-language]")) {
      link.addEventListener("click", () => this.current && carryOver(this.current.id));
    }
  }

  /** Bring back the pictures that this tab had, and show the one that was shown. */
  async resume() {
    const carried = takeCarried();
    if (carried) history.replaceState({ picture: carried }, "");
    const kept = await readPictures();
    const added = this.entries; // meanwhile: the visitor is quicker than the database
    const ids = new Set(added.map(({ id }) => id));
    this.entries = [...kept.filter(({ id }) => !ids.has(id)), ...added];
    this.#lastAdded = Math.max(this.#lastAdded, this.entries.at(-1)?.added ?? 0);
    const entry = this.#find(history.state);
    if (entry && added.length === 0) await this.actions.open(entry);
    this.#changed();
  }

  /** Take new pictures; the first that can be read is shown. @param {readonly Blob[]} blobs */
  async add(blobs) {
    const added = blobs.slice(0, MAX_PICTURES).map((blob) => this.#createEntry(blob));
    const tooMany = Math.max(0, this.entries.length + added.length - MAX_PICTURES);
    for (const old of this.entries.filter((entry) => entry !== this.current).slice(0, tooMany)) this.remove(old);
    this.entries.push(...added);
    for (const entry of added) {
      if (await this.show(entry)) break;
      this.remove(entry);
    }
    this.#changed();
    for (const entry of added) if (this.entries.includes(entry)) await keepPicture(entry);
  }

  /** Show a picture, as it was left. @param {Entry} entry @returns {Promise<boolean>} false if it cannot be read */
  async show(entry) {
    if (!(await this.actions.open(entry))) return false;
    if (this.current === entry && history.state?.picture !== entry.id) {
      history.pushState({ picture: entry.id }, "", location.pathname + location.search);
    }
    return true;
  }

  /** A picture is about to take the place of the one that is shown. @param {Entry} entry */
  enter(entry) {
    void this.keep();
    this.current = entry;
    this.#changed();
  }

  /** Go to the page without a picture; the way back leads to the one that was shown. @param {MouseEvent} event */
  #goHome(event) {
    if (!this.current || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    this.#leave();
    history.pushState(null, "", location.pathname);
  }

  /**
   * Take a picture out of the album.
   * @param {Entry} entry @returns {() => void} what puts it back
   */
  remove(entry) {
    const index = this.entries.indexOf(entry);
    if (index < 0) return () => {}; // the reader was quicker
    if (entry === this.current) {
      void this.keep();
      void this.#turnFrom(index);
    }
    this.entries.splice(index, 1);
    void forgetPicture(entry);
    this.#changed();
    return () => {
      this.entries.splice(index, 0, entry);
      void keepPicture(entry);
      this.#changed();
    };
  }

  /** Something about the picture that is shown has changed: it is kept in a moment. */
  touch() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.keep(), SAVE_PAUSE_MS);
  }

  /** Keep how the picture that is shown looks now. */
  async keep() {
    clearTimeout(this.#timer);
    const view = this.actions.collect();
    if (!this.current || !view) return;
    this.current.view = view;
    await keepView(this.current);
  }

  /**
   * Change what is known of the faces of the pictures that are not shown.
   * @param {(state: PageState) => void} change
   */
  async changeOthers(change) {
    const others = this.entries.filter((entry) => entry !== this.current);
    for (const entry of others) {
      if (!entry.view) continue;
      const state = new PageState();
      state.resume(entry.view.saved);
      change(state);
      entry.view = { ...entry.view, saved: state.save() };
    }
    await Promise.all(others.map(keepUnseen));
  }

  /** The picture at a place is to go: the nearest that can be read is shown in its stead. @param {number} index */
  async #turnFrom(index) {
    const others = [...this.entries.slice(index + 1), ...this.entries.slice(0, index).reverse()];
    this.current = null;
    for (const other of others) if (await this.show(other)) return;
    this.actions.welcome();
    history.pushState(null, "", location.pathname);
  }

  #leave() {
    void this.keep();
    this.current = null;
    this.actions.welcome();
    this.#changed();
  }

  /** @param {any} state of an entry of the history */
  #find(state) {
    return this.entries.find(({ id }) => id === state?.picture);
  }

  /** @param {any} state */
  #travel(state) {
    // A link within the page makes an entry of its own: the picture stays.
    if (location.hash && state === null) history.replaceState(this.current && { picture: this.current.id }, "");
    else {
      const entry = this.#find(state);
      if (entry && entry !== this.current) void this.actions.open(entry);
      else if (!entry && this.current) this.#leave();
    }
  }

  /** @param {Blob} blob @returns {Entry} */
  #createEntry(blob) {
    this.#lastAdded = Math.max(Date.now(), this.#lastAdded + 1);
    const name = blob instanceof File ? blob.name : "";
    return { id: `${this.#lastAdded}-${Math.random()}`, name, added: this.#lastAdded, blob, view: null };
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

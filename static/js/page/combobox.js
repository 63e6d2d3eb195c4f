/**
 * A text field that suggests characters (ARIA 1.2 combobox): arrows choose, Enter takes, Escape
 * closes. What is typed and not in the list is fine too.
 *
 * The input gets the event `choose` when a character was taken from the list, and `find` when it was looked
 * for what is typed, with how many there are; null if that failed.
 */

import { findCharacters } from "./api.js";
import { copyTemplate, part } from "./elements.js";
import { say, settings } from "./messages.js";
import { announce } from "./status.js";

/** @typedef {import("./api.js").Character} Character */

const TYPING_PAUSE_MS = 150;

export class CharacterField {
  /** @type {Character[]} */
  #options = [];
  /** @type {Character[]} shown while nothing is typed */
  #suggested = [];
  /** @type {Character | null} */
  #chosen = null;
  #active = -1;
  #timer = 0;
  /** @type {AbortController | null} */
  #search = null;

  /**
   * @param {HTMLInputElement} input @param {HTMLElement} list
   * @param {{find?: typeof findCharacters, first?: boolean}} [options] another search; whether the first of
   *   the list is marked, so that Enter takes it
   */
  constructor(input, list, { find = findCharacters, first = false } = {}) {
    this.input = input;
    this.list = list;
    this.find = find;
    this.first = first;
    input.addEventListener("input", () => this.#handleTyping());
    input.addEventListener("focus", () => this.#showSuggested());
    input.addEventListener("click", () => this.#showSuggested());
    input.addEventListener("blur", () => this.close());
    input.addEventListener("keydown", (event) => this.#handleKey(event));
    // The mouse must not take the focus from the field, or the list would close under it.
    list.addEventListener("pointerdown", (event) => event.preventDefault());
    list.addEventListener("mousedown", (event) => event.preventDefault());
    list.addEventListener("click", (event) => {
      const option = event.target instanceof Element ? event.target.closest("li") : null;
      if (option) this.#choose([...list.children].indexOf(option));
    });
  }

  /** Empty the field. @param {Character[]} suggested offered before anything is typed */
  reset(suggested) {
    this.input.value = "";
    this.#chosen = null;
    this.#suggested = suggested;
    this.close();
  }

  /** Put back what stood in the field. @param {string} text @param {Character | null} chosen */
  restore(text, chosen) {
    this.input.value = text;
    this.#chosen = chosen;
  }

  /** Who of the list is meant by what stands in the field; null where it is nobody, or one of several. */
  get character() {
    const text = this.input.value.trim();
    if (this.#chosen?.name === text) return this.#chosen;
    const named = this.#options.filter((option) => option.name.toLowerCase() === text.toLowerCase());
    return named.length === 1 ? named[0] : null;
  }

  /** The label of the chosen character, or what was typed. */
  get label() {
    return this.character?.label ?? this.input.value.trim().normalize("NFC");
  }

  /** The character that was taken from the list, as long as nothing else is typed. */
  get chosen() {
    return this.#chosen;
  }

  get isOpen() {
    return !this.list.hidden;
  }

  /** The first of the list. */
  get best() {
    return this.#options[0] ?? null;
  }

  /** Show these instead of what is being looked for. @param {Character[]} found */
  showInstead(found) {
    clearTimeout(this.#timer);
    this.#search?.abort();
    this.#show(found);
  }

  close() {
    clearTimeout(this.#timer);
    this.#search?.abort();
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.#activate(-1);
  }

  #showSuggested() {
    if (this.input.value === "" && this.#suggested.length > 0) this.#show(this.#suggested);
  }

  #handleTyping() {
    clearTimeout(this.#timer);
    this.#chosen = null;
    if (this.first) this.#activate(-1); // Enter must not take what another text found
    if (this.input.value.trim() === "") {
      this.close();
      this.#showSuggested();
      return;
    }
    if (this.#options === this.#suggested) this.close(); // the guesses answer nothing that is typed
    this.#timer = window.setTimeout(() => void this.#lookUp(), TYPING_PAUSE_MS);
  }

  async #lookUp() {
    clearTimeout(this.#timer);
    this.#search?.abort();
    const search = new AbortController();
    this.#search = search;
    try {
      const found = await this.find(this.input.value.trim(), settings.language, search.signal);
      if (search.signal.aborted) return;
      this.#show(found);
      this.#tellFound(found.length);
    } catch {
      // Without suggestions the field is still a field.
      if (search.signal.aborted) return;
      this.close();
      this.#tellFound(null);
    }
  }

  /** @param {number | null} count */
  #tellFound(count) {
    this.input.dispatchEvent(new CustomEvent("find", { detail: count }));
  }

  /** A new list keeps the mark on the character that had it. @param {Character[]} options */
  #show(options) {
    const marked = this.#options[this.#active]?.label;
    this.#options = options;
    const shown = options.map((option, place) => createOption(option, `${this.list.id}-${place}`, options));
    this.list.replaceChildren(...shown);
    const kept = options.findIndex((option) => option.label === marked);
    this.#activate(kept < 0 && this.first && options.length > 0 ? 0 : kept);
    this.list.hidden = options.length === 0;
    this.input.setAttribute("aria-expanded", String(options.length > 0));
    announce(say("characters_found", { count: options.length }));
  }

  /** @param {number} index */
  #activate(index) {
    this.#active = index;
    [...this.list.children].forEach((option, each) => {
      option.setAttribute("aria-selected", String(each === index));
      if (each === index) option.scrollIntoView({ block: "nearest" });
    });
    if (index < 0) this.input.removeAttribute("aria-activedescendant");
    else this.input.setAttribute("aria-activedescendant", this.list.children[index].id);
  }

  /** @param {number} index */
  #choose(index) {
    this.#chosen = this.#options[index];
    this.input.value = this.#chosen.name;
    this.close();
    this.input.dispatchEvent(new CustomEvent("choose"));
  }

  /** @param {KeyboardEvent} event */
  #handleKey(event) {
    if (event.isComposing) return; // Enter and the arrows belong to the input method
    const count = this.#options.length;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!this.isOpen) this.input.value === "" ? this.#showSuggested() : void this.#lookUp();
      else if (event.key === "ArrowDown") this.#activate((this.#active + 1) % count);
      else this.#activate((this.#active <= 0 ? count : this.#active) - 1);
    } else if (event.key === "Enter" && this.isOpen && this.#active >= 0) {
      event.preventDefault();
      this.#choose(this.#active);
    } else if (event.key === "Escape" && this.isOpen) {
      event.preventDefault(); // the list closes, the dialog stays
      event.stopPropagation();
      this.close();
    }
  }
}

/**
 * Two of one name and work are told apart by their labels.
 *
 * @param {Character} character @param {string} id @param {Character[]} options all of the list
 */
function createOption({ label, name, work }, id, options) {
  const alike = options.filter((one) => one.name === name && one.work === work).length > 1;
  const option = copyTemplate("option-template");
  option.id = id;
  part(option, ".option-name").textContent = name;
  part(option, ".option-work").textContent = alike ? [work, label].filter(Boolean).join(" · ") : work;
  return option;
}

/**
 * The form of a search: who is in the pictures, all of them together; a work; how sure it has to be.
 */

import { CharacterField } from "../page/combobox.js";
import { byId, copyTemplate, part } from "../page/elements.js";
import { say, sayPercent } from "../page/messages.js";
import { findNamesAt } from "./api.js";

/** @typedef {import("../page/api.js").Character} Character */
/** @typedef {import("./library-search.js").Wanted} Wanted */

const findNames = findNamesAt("/operator/library/characters");

export class SearchForm {
  /** Who is looked for; `label` may be a name as it was typed. @type {Character[]} */
  #who = [];

  /** @param {number} most characters @param {() => void} search */
  constructor(most, search) {
    this.most = most;
    this.search = search;
    this.name = byId("search-name", HTMLInputElement);
    this.work = byId("search-work", HTMLInputElement);
    this.least = byId("search-least", HTMLSelectElement);
    this.chips = byId("search-who", HTMLElement);
    const list = byId("search-options", HTMLElement);
    this.field = new CharacterField(this.name, list, { find: findNames, first: true });
    this.name.addEventListener("choose", () => void this.#submit());
    this.name.addEventListener("keydown", (event) => {
      if (event.key !== "Backspace" || this.name.value !== "" || this.#who.length === 0) return;
      event.preventDefault();
      this.#leaveOut(this.#who.length - 1);
    });
    byId("search-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
    this.least.addEventListener("change", () => this.search());
  }

  /** What the form says. @returns {Pick<Wanted, "who" | "work" | "least">} */
  read() {
    return {
      who: this.#who.map(({ label }) => label),
      work: this.work.value.trim(),
      least: Number(this.least.value),
    };
  }

  /** @param {Wanted} wanted */
  fill({ who, work, least }) {
    const known = new Map(this.#who.map((one) => [one.label, one]));
    this.#who = who.map((label) => known.get(label) ?? { label, name: label, work: "" });
    this.work.value = work;
    const value = String(least);
    if (![...this.least.options].some((option) => option.value === value)) {
      this.least.add(new Option(sayPercent(least), value));
    }
    this.least.value = value;
    this.#showWho();
  }

  /** Names instead of labels. @param {Character[]} characters */
  showNames(characters) {
    this.#who = characters;
    this.#showWho();
  }

  async #submit() {
    const { chosen, label } = this.field;
    this.field.close();
    if (label !== "") this.#take(chosen ?? (await findBest(label)));
    this.search();
  }

  /** @param {Character} one who is looked for, too */
  #take(one) {
    this.#who = [...this.#who.filter((other) => other.label !== one.label), one].slice(-this.most);
    this.field.reset([]);
    this.#showWho();
  }

  /** @param {number} place */
  #leaveOut(place) {
    this.#who = this.#who.filter((_, each) => each !== place);
    this.#showWho();
    this.name.focus(); // the button that had the focus goes
    this.search();
  }

  #showWho() {
    this.chips.hidden = this.#who.length === 0;
    this.chips.replaceChildren(
      ...this.#who.map(({ name, work }, place) => {
        const chip = copyTemplate("chip-template");
        part(chip, ".chip-name").textContent = name;
        chip.title = work;
        const button = part(chip, "button");
        button.setAttribute("aria-label", say("library_leave_out", { name }));
        button.addEventListener("click", () => this.#leaveOut(place));
        return chip;
      }),
    );
  }
}

/** Who is meant most likely, where Enter came before the list; the text itself where nobody is. @param {string} text @returns {Promise<Character>} */
async function findBest(text) {
  const [best] = await findNames(text, "").catch(() => []);
  return best ?? { label: text, name: text, work: "" };
}

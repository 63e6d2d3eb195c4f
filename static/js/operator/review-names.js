/**
 * Typing a name: the field that completes it, and the form for a new character.
 */

import { CharacterField } from "../page/combobox.js";
import { byId } from "../page/elements.js";
import { say } from "../page/messages.js";
import { describeError, findNamesAt, post } from "./api.js";

/** @typedef {import("../page/api.js").Character} Character */

const findNames = findNamesAt("/operator/label/characters");

/** Whether what is typed stands in the name or in the label. @param {Character} character @param {string} typed */
function isCalled({ name, label }, typed) {
  return [name, label].some((text) => text.toLowerCase().includes(typed.toLowerCase()));
}

export class Names {
  /** @type {(character: Character) => void} what the form for a new character is for */
  #save = () => {};

  /** @param {(character: Character) => void} take @param {() => void} leave give the keyboard back */
  constructor(take, leave) {
    this.take = take;
    this.leave = leave;
    this.input = byId("label-field", HTMLInputElement);
    this.problem = byId("label-problem", HTMLElement);
    this.field = new CharacterField(this.input, byId("label-options", HTMLElement), { find: findNames, first: true });
    this.input.addEventListener("choose", () => this.#takeChosen());
    this.input.addEventListener("keydown", (event) => this.#handleKey(event));
    this.input.addEventListener("input", () => this.#complain(""));
    this.dialog = byId("new-dialog", HTMLDialogElement);
    this.name = byId("new-name", HTMLInputElement);
    this.work = byId("new-work", HTMLInputElement);
    this.label = byId("new-label", HTMLInputElement);
    this.refusal = byId("new-problem", HTMLElement);
    byId("new-cancel", HTMLButtonElement).addEventListener("click", () => this.dialog.close());
    byId("new-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#add();
    });
  }

  /** Begin to type. The key that began it is typed by the browser. */
  focus() {
    this.input.focus();
  }

  /** @param {KeyboardEvent} event */
  #handleKey(event) {
    if (event.isComposing || event.defaultPrevented) return;
    if (event.key === "Enter") {
      event.preventDefault();
      void this.#takeTyped();
    } else if (event.key === "Escape") {
      event.preventDefault();
      this.#clear();
    }
  }

  #takeChosen() {
    const chosen = this.field.chosen;
    this.#clear();
    if (chosen) this.take(chosen);
  }

  /** Enter came before the list did: whom nobody could mistake is taken, else the list is shown first. */
  async #takeTyped() {
    const typed = this.input.value.trim();
    if (!typed) return this.#clear();
    const seen = this.field.isOpen ? this.field.best : null;
    try {
      const found = await findNames(typed, "");
      if (this.input.value.trim() !== typed) return;
      if (found.length === 0) return this.#complain(say("nobody_called", { name: typed }));
      const [only] = found;
      const meant = found.length === 1 && isCalled(only, typed) && (seen === null || seen.label === only.label);
      if (!meant) return this.field.showInstead(found);
      this.#clear();
      this.take(only);
    } catch (error) {
      this.#complain(describeError(error));
    }
  }

  #clear() {
    this.#complain("");
    this.field.reset([]);
    this.input.blur();
    this.leave();
  }

  /** @param {string} words */
  #complain(words) {
    this.problem.textContent = words;
  }

  /** Ask for a new character. @param {string} name to begin with @param {(character: Character) => void} take */
  askNew(name, take) {
    this.refusal.textContent = "";
    this.name.value = name;
    this.work.value = "";
    this.label.value = "";
    this.dialog.showModal();
    this.name.focus();
    this.#save = take;
  }

  async #add() {
    const [name, work, label] = [this.name, this.work, this.label].map(({ value }) => value.trim());
    if (!name) {
      this.refusal.textContent = say("write_a_name");
      this.name.focus();
      return;
    }
    try {
      const made = await post("/operator/label/characters", { name, work, label });
      this.dialog.close();
      this.#save(made);
    } catch (error) {
      this.refusal.textContent = describeError(error);
    }
  }
}

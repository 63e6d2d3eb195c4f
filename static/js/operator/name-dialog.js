/**
 * Asking for a name: a character who is known, completed from part of a name, or someone new.
 */

import { CharacterField } from "../page/combobox.js";
import { byId } from "../page/elements.js";
import { findKnown } from "./report-calls.js";

/** @typedef {{label: string, name?: Record<string, string>}} Named */

export class NameDialog {
  /** @type {(named: Named | null) => void} */
  #answer = () => {};
  #isNew = false;
  #labelTouched = false;

  constructor() {
    this.dialog = byId("name-dialog", HTMLDialogElement);
    this.input = byId("name-input", HTMLInputElement);
    this.field = new CharacterField(this.input, byId("name-options", HTMLElement), {
      find: (query, _language, signal) => findKnown(query, signal),
      first: true,
    });
    this.newName = byId("new-name", HTMLInputElement);
    this.newLabel = byId("new-label", HTMLInputElement);
    this.problem = byId("name-problem", HTMLElement);
    byId("name-form", HTMLFormElement).addEventListener("submit", (event) => this.#submit(event));
    byId("name-cancel", HTMLButtonElement).addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => this.#finish(null));
    this.newName.addEventListener("input", () => {
      if (!this.#labelTouched) this.newLabel.value = suggestLabel(this.newName.value);
    });
    this.newLabel.addEventListener("input", () => {
      this.#labelTouched = this.newLabel.value !== "";
    });
  }

  /**
   * @param {string} title @param {{isNew: boolean, name?: string, suggested?: import("../page/api.js").Character[]}} how
   * @returns {Promise<Named | null>} null where it was cancelled
   */
  ask(title, { isNew, name = "", suggested = [] }) {
    this.#isNew = isNew;
    this.#labelTouched = false;
    byId("name-title", HTMLElement).textContent = title;
    byId("new-fields", HTMLElement).hidden = !isNew;
    /** @type {HTMLElement} */ (this.input.parentElement).hidden = isNew;
    this.problem.textContent = "";
    this.field.reset(suggested);
    this.newName.value = name;
    this.newLabel.value = suggestLabel(name);
    this.dialog.showModal();
    (isNew ? this.newName : this.input).focus();
    return new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  /** @param {SubmitEvent} event */
  #submit(event) {
    event.preventDefault();
    const label = this.#isNew ? this.newLabel.value.trim() : this.field.label;
    if (label === "") {
      this.problem.textContent = "Write a name.";
      (this.#isNew ? this.newLabel : this.input).focus();
      return;
    }
    const name = this.newName.value.trim();
    this.#finish(this.#isNew ? { label, name: name ? { [guessLanguage(name)]: name } : {} } : { label });
    this.dialog.close();
  }

  /** @param {Named | null} named */
  #finish(named) {
    const answer = this.#answer;
    this.#answer = () => {};
    answer(named);
  }
}

/** "Hatsune Miku" → "hatsune_miku"; empty where nothing of it is ASCII. @param {string} name */
function suggestLabel(name) {
  const plain = name.normalize("NFKD").toLowerCase().replace(/[\u0300-\u036f]/g, "");
  return plain.replace(/[^a-z0-9]+/g, "_").replace(/^_+|_+$/g, "");
}

/** @param {string} name */
function guessLanguage(name) {
  if (/[\u3040-\u30ff]/.test(name)) return "ja";
  return /[\u4e00-\u9fff]/.test(name) ? "zh" : "en";
}

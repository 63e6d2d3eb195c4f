/**
 * The form that says who somebody is: somebody known, or somebody new after a second Enter. Its fields are those of
 * the macro `name_fields`.
 */

import { CharacterField } from "../page/combobox.js";
import { byId } from "../page/elements.js";
import { say } from "../page/messages.js";
import { findNamesAt } from "./api.js";

const findNames = findNamesAt("/operator/characters/search");

export class NameForm {
  /** What was typed and means somebody new, though others are called nearly so. */
  #confirmed = "";

  /**
   * @param {string} prefix of the ids of its fields
   * @param {(name: string, label: string, work: string) => Promise<string>} save returns why it was refused
   */
  constructor(prefix, save) {
    this.save = save;
    this.name = byId(`${prefix}-name`, HTMLInputElement);
    this.work = byId(`${prefix}-work`, HTMLInputElement);
    this.label = byId(`${prefix}-label`, HTMLInputElement);
    this.refused = byId(`${prefix}-refused`, HTMLElement);
    this.field = new CharacterField(this.name, byId(`${prefix}-options`, HTMLElement), { find: findNames });
    this.name.addEventListener("choose", () => void this.#submit());
    byId(`${prefix}-form`, HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
  }

  reset() {
    this.field.reset([]);
    this.#confirmed = "";
    this.work.value = "";
    this.label.value = "";
    this.refused.textContent = "";
  }

  /** @param {string} words nothing is changed if they are empty */
  complain(words) {
    if (words) this.refused.textContent = words;
  }

  async #submit() {
    const typed = this.name.value.trim();
    if (!typed && !this.label.value.trim()) {
      this.complain(say("teach_no_name"));
      this.name.focus();
      return;
    }
    const label = this.label.value.trim() || this.field.character?.label || "";
    if (!label && (await this.#mayMeanSomebody(typed))) return;
    this.complain(await this.save(typed, label, this.work.value.trim()));
  }

  /** Show who is called nearly so; Enter once more makes somebody new. @param {string} typed */
  async #mayMeanSomebody(typed) {
    if (this.#confirmed === typed) return false;
    const found = await findNames(typed, "").catch(() => []);
    if (found.length === 0 || this.name.value.trim() !== typed) return false;
    this.#confirmed = typed;
    this.complain(say("group_somebody_new", { name: typed }));
    this.field.showInstead(found);
    return true;
  }
}

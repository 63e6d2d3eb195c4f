/**
 * *Known from now on*: whether what is decided changes everybody's answers at once, and what came of it.
 */

import { byId } from "../page/elements.js";
import { readText, writeText } from "../page/kept-list.js";
import { say } from "../page/messages.js";

const KEY = "known from now on";

export class KnownNow {
  /** @param {(text: string) => void} tell @param {(text: string) => void} warn */
  constructor(tell, warn) {
    this.say = tell;
    this.warn = warn;
    this.input = byId("known-now", HTMLInputElement);
    this.input.checked = readText(KEY) === "yes";
    this.input.addEventListener("change", () => writeText(KEY, this.input.checked ? "yes" : ""));
  }

  get on() {
    return this.input.checked;
  }

  /** @param {{known?: string[], told?: string[]}} answer of the server to a decision */
  tell({ known = [], told = [] }) {
    const words = known.length > 0 ? [say("known_now", { names: known.join(", ") }), ...told] : told;
    if (told.length > 0) this.warn(words.join(" "));
    else if (words.length > 0) this.say(words.join(" "));
  }
}

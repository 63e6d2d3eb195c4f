/**
 * The one line that says what is going on, and where something went wrong offers what to do.
 */

import { byId } from "./elements.js";

/**
 * @typedef {object} Status
 * @property {"busy" | "info" | "done" | "error"} kind
 * @property {string} text
 * @property {number | null} [progress] 0 to 1
 * @property {string} [action] the button's words
 * @property {() => void} [act]
 */

const ICONS = { busy: "", info: "info", done: "done", error: "warning" };

export class StatusLine {
  #act = () => {};

  constructor() {
    this.line = byId("status", HTMLElement);
    this.text = byId("status-text", HTMLElement);
    this.spinner = byId("status-spinner", HTMLElement);
    this.progress = byId("status-progress", HTMLProgressElement);
    this.button = byId("status-action", HTMLButtonElement);
    this.icon = /** @type {Element} */ (document.getElementById("status-icon"));
    this.button.addEventListener("click", () => this.#act());
  }

  /** @param {Status} status */
  show({ kind, text, progress = null, action = "", act = () => {} }) {
    this.line.dataset.kind = kind;
    this.line.hidden = false;
    if (this.text.textContent !== text) this.text.textContent = text;
    this.spinner.hidden = kind !== "busy" || progress !== null;
    this.icon.classList.toggle("d-none", kind === "busy");
    this.icon.querySelector("use")?.setAttribute("href", `#icon-${ICONS[kind]}`);
    this.progress.hidden = progress === null;
    this.progress.value = progress ?? 0;
    const hadFocus = document.activeElement === this.button;
    this.button.hidden = !action;
    if (hadFocus && !action) this.line.focus();
    this.button.textContent = action;
    this.#act = act;
  }

  hide() {
    this.line.hidden = true;
  }
}

/** Say something to screen readers alone. @param {string} text */
export function announce(text) {
  byId("announcer", HTMLElement).textContent = text;
}

/**
 * Short notes at the foot of the window, each with an undo for as long as it can be undone.
 */

import { byId, copyTemplate, part } from "./elements.js";
import { say } from "./messages.js";

const STAY_MS = 6000;
const UNDO_MS = 10_000;

export class Toast {
  #timer = 0;

  constructor() {
    this.element = copyTemplate("toast-template");
    this.words = part(this.element, ".toast-words");
    this.undoButton = part(this.element, ".toast-undo");
    part(this.element, ".toast-close").addEventListener("click", () => this.close());
    byId("toasts", HTMLElement).append(this.element);
  }

  /** @param {string} text @param {"info" | "error"} [kind] */
  say(text, kind = "info") {
    clearInterval(this.#timer);
    this.undoButton.hidden = true;
    this.words.textContent = text;
    this.element.dataset.kind = kind;
    if (!this.element.isConnected) byId("toasts", HTMLElement).append(this.element);
  }

  /** Say it and go away after a while. @param {string} text */
  sayAndGo(text) {
    this.say(text);
    this.#timer = window.setTimeout(() => this.close(), STAY_MS);
  }

  /**
   * Offer to undo, counting down; then go away.
   * @param {() => void} undo
   */
  offerUndo(undo) {
    const end = Date.now() + UNDO_MS;
    const button = this.undoButton;
    const tick = () => {
      const left = Math.ceil((end - Date.now()) / 1000);
      if (left <= 0) this.close();
      else button.textContent = say("undo_in", { seconds: left });
    };
    button.setAttribute("aria-label", say("undo"));
    button.hidden = false;
    button.onclick = () => {
      clearInterval(this.#timer);
      button.hidden = true;
      undo();
    };
    tick();
    this.#timer = window.setInterval(tick, 250);
  }

  close() {
    clearInterval(this.#timer);
    this.element.remove();
  }
}

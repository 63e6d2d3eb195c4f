/**
 * The line above the faces: what the model has looked at, and what went wrong.
 */

import { byId } from "../page/elements.js";
import { say } from "../page/messages.js";
import { ask, describeError, post } from "./api.js";

/** @typedef {{running: boolean, done: number, total: number, error: string}} Preparing */

const ASK_EVERY_MS = 700;

export class ModelNotice {
  #act = () => {};
  #giveUp = () => {};
  #troubled = false;
  #following = false;

  /** @param {() => void | Promise<void>} reload what is done when the model has looked */
  constructor(reload) {
    this.reload = reload;
    this.line = byId("label-notice", HTMLElement);
    this.text = byId("label-notice-text", HTMLElement);
    this.progress = byId("label-progress", HTMLProgressElement);
    this.button = byId("label-notice-action", HTMLButtonElement);
    this.login = byId("label-login", HTMLElement);
    this.other = byId("label-give-up", HTMLButtonElement);
    this.button.addEventListener("click", () => this.#act());
    this.other.addEventListener("click", () => this.#giveUp());
    byId("label-ask", HTMLButtonElement).addEventListener("click", () => void this.start());
  }

  /**
   * @param {{model: {name: string, note: string, serves: boolean} | null, unseen: number, total: number, preparing: Preparing}} answer
   */
  showModel({ model, unseen, total, preparing }) {
    const again = () => void this.start();
    if (preparing.running) void this.#follow();
    else if (total === 0) this.#hide();
    else if (preparing.error) this.#say(preparing.error, "error", say("ask_model"), again);
    else if (!model) this.#say(say("model_not_looked"), "info", say("ask_model"), again);
    else if (!model.serves) this.#say(say("model_changed"), "info", say("ask_new_model"), again);
    else if (unseen > 0) this.#say(say("came_after", { count: unseen }), "info", say("ask_model"), again);
    else if (model.note) this.#say(model.note, "info");
    else this.#hide();
  }

  /** Say what was done. @param {string} text */
  tell(text) {
    this.#say(text, "info", say("close"), () => this.#hide());
  }

  /** Say what went wrong. @param {string} text @param {() => void} [again] */
  warn(text, again) {
    this.#say(text, "error", again ? say("try_again") : say("close"), again ?? (() => this.#hide()));
  }

  /**
   * @param {import("./review-queue.js").Trouble | null} trouble @param {number} waiting
   * @param {() => void} nudge @param {() => void} giveUp
   */
  showTrouble(trouble, waiting, nudge, giveUp) {
    if (trouble) {
      this.#say(`${trouble.text} ${say("actions_kept", { count: waiting })}`, "error", say("send_now"), nudge);
      this.login.hidden = !trouble.login;
      this.other.hidden = !trouble.stuck;
      this.#giveUp = giveUp;
      this.#troubled = true;
    } else if (this.#troubled) {
      this.#hide();
      this.#troubled = false;
    }
  }

  /** Have the model look at the inbox. */
  async start() {
    try {
      await post("/operator/label/prepare", {});
      await this.#follow();
    } catch (error) {
      this.warn(describeError(error), () => void this.start());
    }
  }

  /** Show how far the model is until it has looked; one call at a time does. */
  async #follow() {
    if (this.#following) return;
    this.#following = true;
    let problem;
    try {
      problem = await this.#watch();
    } catch (error) {
      this.warn(describeError(error), () => void this.#follow());
      return;
    } finally {
      this.#following = false;
    }
    if (problem) this.warn(problem, () => void this.start());
    else await this.reload();
  }

  /** @returns {Promise<string>} what went wrong when the model looked; empty if nothing did */
  async #watch() {
    for (;;) {
      /** @type {Preparing} */
      const { running, done, total, error } = await ask("/operator/label/prepare");
      if (!running) return error;
      this.#say(total ? say("model_looks", { done, total }) : say("model_loads"), "busy");
      this.progress.hidden = false;
      this.progress.value = total ? done / total : 0;
      await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
    }
  }

  #hide() {
    this.line.hidden = true;
  }

  /** @param {string} text @param {"info" | "busy" | "error"} kind @param {string} [action] @param {() => void} [act] */
  #say(text, kind, action = "", act = () => {}) {
    this.line.hidden = false;
    this.line.dataset.kind = kind;
    if (this.text.textContent !== text) this.text.textContent = text;
    this.progress.hidden = true;
    this.login.hidden = true;
    this.other.hidden = true;
    this.button.hidden = !action;
    this.button.textContent = action;
    this.#act = act;
  }
}

/**
 * Sends the operator's actions in their order until the server has confirmed each. They are kept in the
 * browser meanwhile, over a reload and a crash of the server, too; each has an id, so that sending it
 * twice does no harm.
 */

import { addToList, readList, takeFromList } from "../page/kept-list.js";
import { say } from "../page/messages.js";
import { ConnectionError, ServerError, describeError } from "./api.js";

/** @typedef {import("./review-state.js").Action} Action */
/** @typedef {import("./review-state.js").FaceJson} FaceJson */
/** @typedef {{faces?: FaceJson[], reports?: import("./review-calls.js").Report[], characters?: import("./review-counts.js").Count[], names?: Record<string, import("./review-state.js").Name>, counts?: Record<string, number>, known?: string[], told?: string[]}} Answer */
/** @typedef {{text: string, login: boolean, stuck: boolean}} Trouble stuck: it may never pass */

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** The server may take the same action later: no connection, busy, a full disk, a session that ended. */
const PASSING = [401, 403, 429, 500, 502, 503, 504, 507];

/** Emits `change` when its length or its trouble changes. */
export class ActionQueue extends EventTarget {
  /** @type {Action[]} */
  #actions = [];
  #running = false;
  #nudge = () => {};
  #givesUp = false;
  /** @type {Trouble | null} */
  trouble = null;

  /**
   * @param {string} key under which the actions are kept
   * @param {(action: Action) => Promise<Answer>} send
   * @param {(action: Action, answer: Answer) => void} confirmed
   * @param {(action: Action, error: ServerError) => void} refused
   */
  constructor(key, send, confirmed, refused) {
    super();
    this.key = key;
    this.send = send;
    this.confirmed = confirmed;
    this.refused = refused;
    addEventListener("online", () => this.nudge());
    addEventListener("focus", () => this.nudge());
  }

  get length() {
    return this.#actions.length;
  }

  /** @param {Action} action */
  add(action) {
    this.#actions.push(action);
    addToList(this.key, "id", action);
    this.#tell();
    void this.#run();
  }

  /** Take in what an earlier page could not send, without sending it yet. @returns {Action[]} */
  recall() {
    const mine = new Set(this.#actions.map(({ id }) => id));
    this.#actions = [...readList(this.key).filter(({ id }) => !mine.has(id)), ...this.#actions];
    this.#tell();
    return [...this.#actions];
  }

  /** Go on, and do not wait any longer. */
  nudge() {
    this.#nudge();
    void this.#run();
  }

  /** Send the first action no more; the operator sees that it was not done. */
  giveUp() {
    this.#givesUp = true;
    this.nudge();
  }

  async #run() {
    if (this.#running) return;
    this.#running = true;
    let wait = FIRST_WAIT_MS;
    for (let action = this.#actions[0]; action; action = this.#actions[0]) {
      try {
        const answer = await this.send(action);
        this.#forget(action);
        wait = FIRST_WAIT_MS;
        this.trouble = null;
        this.confirmed(action, answer);
      } catch (error) {
        if (error instanceof ServerError && !PASSING.includes(error.status)) {
          this.#forget(action);
          this.refused(action, error);
        } else {
          this.trouble = explain(error);
          this.#tell();
          await this.#pause(wait);
          wait = Math.min(wait * 2, LONGEST_WAIT_MS);
          if (this.#givesUp && error instanceof ServerError) {
            this.#forget(action);
            this.refused(action, error);
          }
          this.#givesUp = false;
        }
      }
      this.#tell();
    }
    this.#running = false;
    this.trouble = null;
    this.#tell();
  }

  /** @param {number} milliseconds @returns {Promise<void>} */
  #pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#nudge = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** @param {Action} action */
  #forget(action) {
    this.#actions = this.#actions.filter(({ id }) => id !== action.id);
    takeFromList(this.key, "id", action);
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}

/** @param {unknown} error @returns {Trouble} */
function explain(error) {
  const login = error instanceof ServerError && [401, 403].includes(error.status);
  const text = error instanceof ConnectionError || !login ? describeError(error) : say("session_over");
  // a disk or a file that does not work is no passing trouble, as other 503s are
  const broken = error instanceof ServerError && error.problem?.title === "Not available";
  const stuck = broken || (error instanceof ServerError && [500, 507].includes(error.status));
  return { text, login, stuck };
}

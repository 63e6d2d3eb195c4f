/**
 * Asks the server about faces: one request for all, again when it is busy, later when offline.
 */

import { ConnectionError, ServerError, isAbort } from "../page/api.js";
import { encodeCrops } from "../picture/crops.js";
import { faceBox } from "../page/state.js";
import { say, sayWhen, settings } from "../page/messages.js";
import { rest } from "../page/rest.js";
import { identifyHere } from "../taught/asking.js";

/** @typedef {import("../page/state.js").PageState} PageState */
/** @typedef {import("../page/state.js").Face} Face */
/** @typedef {import("../page/status.js").StatusLine} StatusLine */

/** The server takes this many crops at once. */
const MAX_FACES = 32;
const BUSY_RETRIES = 3;
const LONGEST_WAIT_S = 30;
/** How long a box has rested that is asked about; one that was put into the middle has to be moved first. */
const REST_MS = { moved: 800, added: 3000 };

export class Identification {
  /** @type {AbortController | null} */
  #running = null;
  #timer = 0;

  /** @param {PageState} state @param {StatusLine} status */
  constructor(state, status) {
    this.state = state;
    this.status = status;
  }

  /** Ask about every face that has no fresh answer; a request under way is given up. */
  async askWaiting() {
    this.cancel();
    const { picture } = this.state;
    const faces = this.state.waiting().slice(0, MAX_FACES);
    if (!picture || faces.length === 0) return;
    const running = new AbortController();
    this.#running = running;
    this.state.startAsking(faces);
    this.status.show({ kind: "busy", text: say("asking", { count: faces.length }) });
    try {
      const crops = encodeCrops(picture.bitmap, faces.map(faceBox));
      const found = await this.#askPatiently(crops, running.signal);
      this.state.takeAnswers(found.model, faces, found.faces);
      this.sayDone();
    } catch (error) {
      if (running.signal.aborted) return;
      this.state.stopAsking();
      this.#explain(error, faces);
    } finally {
      if (this.#running === running) this.#running = null;
    }
  }

  /** Ask in a moment, when nothing more has changed. @param {keyof typeof REST_MS} what happened to a box */
  askSoon(what) {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.askWaiting(), REST_MS[what]);
  }

  /** Give up the request that is under way, and the one that is to come. */
  cancel() {
    clearTimeout(this.#timer);
    this.#running?.abort();
    this.#running = null;
    removeEventListener("online", this.#askWhenOnline);
    if (this.state.asking.size > 0) this.state.stopAsking();
  }

  #askWhenOnline = () => void this.askWaiting();

  /** @param {string[]} crops @param {AbortSignal} signal */
  async #askPatiently(crops, signal) {
    for (let retries = 0; ; retries += 1) {
      try {
        return await identifyHere(crops, settings.language, signal);
      } catch (error) {
        const busy = error instanceof ServerError && error.isBusy && !error.isLimited;
        if (!busy || retries === BUSY_RETRIES) throw error;
        const seconds = Math.max(1, Math.min(error.retryAfter ?? 0, LONGEST_WAIT_S));
        this.status.show({ kind: "busy", text: say("busy", { seconds }) });
        await rest(seconds * 1000, signal);
      }
    }
  }

  /** Say how many of the faces were recognized. */
  sayDone() {
    const { faces } = this.state;
    const verdicts = faces.map((face) => this.state.answer(face)?.face?.verdict);
    const [known, probable] = ["known", "probably"].map((one) => verdicts.filter((each) => each === one).length);
    const words = say(probable > 0 ? "done_probably" : "done", { count: faces.length, known, probable });
    const tooMany = faces.length > MAX_FACES ? ` ${say("too_many", { limit: MAX_FACES })}` : "";
    this.status.show({ kind: "done", text: words + tooMany });
  }

  /** @param {unknown} error @param {readonly Face[]} faces */
  #explain(error, faces) {
    if (isAbort(error)) return;
    const again = { action: say("try_again"), act: () => void this.askWaiting() };
    if (error instanceof ConnectionError) {
      if (!navigator.onLine) addEventListener("online", this.#askWhenOnline, { once: true });
      const text = say(navigator.onLine ? "unreachable" : "offline");
      this.status.show({ kind: "error", text, ...again });
    } else if (error instanceof ServerError && error.isLimited) {
      this.status.show({ kind: "error", text: say("too_often", { when: sayWhen(error.retryAfter ?? 60) }), ...again });
    } else if (error instanceof ServerError && error.isBusy) {
      this.status.show({ kind: "error", text: say("busy_for_long"), ...again });
    } else if (error instanceof ServerError) {
      if (error.crop !== null && faces[error.crop]) this.state.refuse(faces[error.crop], error.message);
      const text = say("refused", { detail: error.message || String(error.status) });
      this.status.show({ kind: "error", text, ...again });
    } else {
      throw error;
    }
  }
}

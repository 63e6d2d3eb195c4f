/**
 * Finds the faces of the current picture, and then has the server asked about them.
 */

import { isAbort } from "../page/api.js";
import { fitCropsTo } from "../picture/crops.js";
import { Detector } from "./detector.js";
import { say } from "../page/messages.js";

/** @typedef {import("../page/state.js").PageState} PageState */
/** @typedef {import("../page/status.js").StatusLine} StatusLine */
/** @typedef {import("../answers/identification.js").Identification} Identification */
/** @typedef {import("./tiles.js").FoundFace} FoundFace */

/** Emits `change` when it starts, ends, or knows how many levels there are. */
export class FaceSearch extends EventTarget {
  #progress = 0;
  #run = 0;
  /** @type {number | null} how many faces the reader wants: null is the detector's own default */
  level = null;
  running = false;
  /** Whether the picture was searched, now or before it was left. */
  isDone = false;
  /** @type {{bitmap: ImageBitmap, faces: FoundFace[]} | null} what the last search found, weak boxes too */
  #found = null;

  /**
   * @param {import("../page/messages.js").Settings["urls"]} urls
   * @param {PageState} state @param {StatusLine} status @param {Identification} identification
   */
  constructor(urls, state, status, identification) {
    super();
    this.detector = new Detector(urls);
    this.state = state;
    this.status = status;
    this.identification = identification;
  }

  /** How many steps the more-or-fewer-faces control has, and which one is chosen; null until loaded. */
  get levels() {
    const { levels, defaultLevel } = this.detector;
    return levels > 0 ? { count: levels, chosen: this.level ?? defaultLevel } : null;
  }

  /** Load the face finder before it is needed; `load` tells if it fails again. */
  prepare() {
    this.#load().catch(() => {});
  }

  /**
   * Load the face finder, once; a failed load can be tried again. One that was under way may have begun before the
   * network came back: if it fails, it is tried again at once.
   * @returns {Promise<void>}
   */
  async load() {
    const joins = this.detector.isLoading;
    await this.#load().catch((error) => {
      if (!joins) throw error;
      return this.#load();
    });
  }

  async #load() {
    await this.detector.load((fraction) => {
      this.#progress = fraction;
      if (this.running) this.#showProgress();
    });
    if (fitCropsTo(this.detector.boxScale)) this.#askAnew();
    document.documentElement.dataset.finder = ""; // a picture is searched at once from here on
    this.dispatchEvent(new Event("change"));
  }

  /** The answers that there are were given to other crops. */
  #askAnew() {
    this.state.markAnswersOld();
    if (!this.running) void this.identification.askWaiting();
  }

  /** Look for faces in the picture as it is now; an earlier search is given up. */
  async run() {
    const { picture } = this.state;
    const run = this.cancel();
    this.isDone = false;
    if (!picture) return;
    this.#setRunning(true);
    try {
      if (!this.levels) this.#showProgress();
      await this.load();
      if (run !== this.#run) return;
      this.status.show({ kind: "busy", text: say("finding") });
      const { bitmap } = picture;
      const faces = await this.detector.detectShown(bitmap, this.levels?.chosen);
      if (run !== this.#run) return;
      this.#found = { bitmap, faces };
      this.isDone = true;
      this.#setRunning(false);
      this.#show();
    } catch (error) {
      if (run !== this.#run || isAbort(error)) return;
      this.#setRunning(false);
      this.#explain();
    }
  }

  /** How many faces there may be beside those that are shown. */
  get hidden() {
    const { picture } = this.state;
    if (!picture || this.#found?.bitmap !== picture.bitmap || !this.levels) return 0;
    const { chosen } = this.levels;
    return this.#found.faces.filter((face) => !this.detector.isShown(face, chosen)).length;
  }

  /** Show more or fewer faces: at once where the last search found those of every level. @param {number} level */
  choose(level) {
    this.level = level;
    const { picture } = this.state;
    if (this.running || this.detector.name === "cascade" || this.#found?.bitmap !== picture?.bitmap) return void this.run();
    this.cancel();
    this.#show();
    this.dispatchEvent(new Event("change"));
  }

  #show() {
    const chosen = this.levels?.chosen ?? 0;
    const shown = this.#found?.faces.filter((face) => this.detector.isShown(face, chosen)) ?? [];
    this.state.takeDetected(
      shown.map((face) => ({ box: face.box, roll: face.roll ?? 0, isWeak: !this.detector.isSure(face) })),
    );
    this.goOn();
  }

  /** Give up the search and the question that are under way. @returns {number} */
  cancel() {
    this.identification.cancel();
    this.#setRunning(false);
    this.#run += 1;
    return this.#run;
  }

  #showProgress() {
    this.status.show({ kind: "busy", text: say("loading_finder"), progress: this.#progress });
  }

  /** With the faces that there are: ask about those that wait, or say how it stands. */
  goOn() {
    if (this.state.faces.length === 0) {
      const many = (this.state.picture?.frameCount ?? 1) > 1;
      this.status.show({ kind: "info", text: say(many ? "no_faces_frame" : "no_faces") });
    } else if (this.state.waiting().length > 0) {
      void this.identification.askWaiting();
    } else {
      this.identification.sayDone();
    }
  }

  #explain() {
    const act = () => void this.run();
    this.status.show({ kind: "error", text: say("finder_failed"), action: say("try_again"), act });
  }

  /** @param {boolean} running */
  #setRunning(running) {
    if (this.running === running) return;
    this.running = running;
    this.dispatchEvent(new Event("change"));
  }
}

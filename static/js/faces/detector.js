/**
 * The page's side of face finding: starts the worker, hands it pictures, gives back boxes.
 */

import { shownPart } from "./bars.js";

/** @typedef {import("./tiles.js").FoundFace} FoundFace */
/**
 * @typedef {object} Addresses
 * @property {string} worker
 * @property {string} opencv
 * @property {string} wasm
 * @property {string} cascade
 * @property {string} settings of the cascade
 * @property {string} network the weights
 * @property {string} networkSettings
 * @property {string} networkEyes the weights of the network that finds a face's eyes; empty without one
 */
/** @typedef {"network" | "cascade"} DetectorName */
/**
 * @typedef {object} Job
 * @property {number} id
 * @property {ImageBitmap} bitmap
 * @property {number | "live" | undefined} level
 * @property {(faces: FoundFace[]) => void} resolve
 * @property {(error: unknown) => void} reject
 */

/** A face whose score does not reach this level is drawn as a weak one. */
const SURE_LEVEL = 0;

const superseded = () => new DOMException("A newer search took its place.", "AbortError");

/** Finds faces in one picture at a time; a newer question takes the place of an older one. */
export class Detector {
  /** @type {Worker | null} */
  #worker = null;
  /** @type {Promise<void> | null} */
  #loading = null;
  /** @type {(fraction: number) => void} */
  #onProgress = () => {};
  /** @type {{resolve: () => void, reject: (error: unknown) => void} | null} */
  #load = null;
  /** @type {Job | null} the question that somebody still waits for */
  #current = null;
  /** Id of the question that the worker is busy with; 0 when it is idle. */
  #busyWith = 0;
  #lastId = 0;
  /** @type {number[]} least score of each level; empty until loaded */
  #thresholds = [];
  /** The level that is taken when none is asked for. */
  defaultLevel = 0;
  /** The same for what plays. */
  playsLevel = 0;
  /** Side of its boxes relative to the tight face, cheek to cheek and fringe to chin. */
  boxScale = 1;
  /** What finds the faces: the cascade where the network could not be loaded. @type {DetectorName} */
  name = "network";

  /** @param {Addresses} urls */
  constructor(urls) {
    this.urls = urls;
  }

  /** How many levels from fewer to more faces there are; 0 until loaded. */
  get levels() {
    return this.#thresholds.length;
  }

  /** Whether a start is under way. */
  get isLoading() {
    return this.#load !== null;
  }

  /**
   * Whether a face is shown at a level. The network's faces of all levels come with one search; the cascade's
   * are those of the level that was asked for.
   * @param {FoundFace} face @param {number} level
   */
  isShown(face, level) {
    return face.isSurest || this.#reaches(face, level);
  }

  /** Whether a face is one for sure. @param {FoundFace} face */
  isSure(face) {
    return this.#reaches(face, SURE_LEVEL);
  }

  /** @param {FoundFace} face @param {number} level */
  #reaches(face, level) {
    return this.name === "cascade" || face.score >= (this.#thresholds[level] ?? 1);
  }

  /**
   * Start the worker and wait until it can answer. Called again, it waits for the same start; after
   * a failure it starts afresh.
   * @param {(fraction: number) => void} [onProgress] 0 to 1
   * @returns {Promise<void>}
   */
  load(onProgress = () => {}) {
    this.#onProgress = onProgress;
    this.#loading ??= new Promise((resolve, reject) => {
      this.#load = { resolve, reject };
      const { worker: workerUrl, ...files } = this.urls;
      const worker = new Worker(workerUrl);
      // What a worker says that was ended already is of no concern to the next one.
      worker.addEventListener("message", ({ data }) => {
        if (worker === this.#worker) this.#receive(data);
      });
      worker.addEventListener("error", (event) => {
        event.preventDefault();
        if (worker !== this.#worker) return;
        this.#stop(new Error(`The face finder stopped. ${event.message ?? ""}`.trim()));
      });
      this.#worker = worker;
      const absolute = (/** @type {string} */ url) => new URL(url, document.baseURI).href;
      const addresses = Object.fromEntries(Object.entries(files).map(([name, url]) => [name, url && absolute(url)]));
      worker.postMessage({ ...addresses, type: "load" });
    });
    return this.#loading;
  }

  /**
   * Find the faces in a picture, those of every level, the largest first; see `isShown`.
   *
   * A call while another one is under way takes its place: the older promise rejects with an
   * `AbortError`, the newer picture goes to the worker as soon as that is free.
   * @param {ImageBitmap} bitmap is handed over and cannot be used afterwards
   * @param {number | "live"} [level] 0 (fewest faces) to `levels - 1`, or "live" for a picture that plays;
   *   without it, the default level
   * @returns {Promise<FoundFace[]>} in pixels of the bitmap
   */
  async detect(bitmap, level) {
    if (!(bitmap instanceof ImageBitmap) || bitmap.width === 0) {
      throw new TypeError("detect() takes an open ImageBitmap.");
    }
    if (!this.levels) throw new Error("The face finder is not loaded: await load() first.");
    const counted = level !== undefined && level !== "live";
    if (counted && !(Number.isInteger(level) && level >= 0 && level < this.levels)) {
      throw new RangeError(`The level must be 0 to ${this.levels - 1}; received ${level}.`);
    }
    this.#dropCurrent(superseded());
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#current = { id, bitmap, level, resolve, reject };
      if (!this.#busyWith) this.#send();
    });
  }

  /**
   * Find the faces in a picture that stays the caller's. Black bars around it are left out: they change nothing.
   * @param {ImageBitmap} bitmap @param {number} [level] see `detect`
   * @returns {Promise<FoundFace[]>} in pixels of the bitmap
   */
  async detectShown(bitmap, level) {
    const part = shownPart(bitmap);
    const copy = await createImageBitmap(bitmap, part.x, part.y, part.width, part.height);
    const found = await this.detect(copy, level);
    return found.map(({ box, ...face }) => ({ ...face, box: { ...box, x: box.x + part.x, y: box.y + part.y } }));
  }

  /** Stop the worker; whoever still waits gets an `AbortError`. */
  close() {
    this.#stop(new DOMException("The face finder was closed.", "AbortError"));
  }

  #send() {
    if (!this.#current || !this.#worker) return;
    const { id, bitmap, level } = this.#current;
    this.#busyWith = id;
    this.#worker.postMessage({ type: "detect", id, bitmap, level }, [bitmap]);
  }

  /** @param {any} message */
  #receive(message) {
    if (message.type === "progress") {
      this.#onProgress(message.fraction);
    } else if (message.type === "loaded") {
      this.#thresholds = message.thresholds;
      this.boxScale = message.boxScale;
      this.name = message.network ? "network" : "cascade";
      this.defaultLevel = message.defaultLevel;
      this.playsLevel = message.playsLevel;
      this.#load?.resolve();
      this.#load = null;
    } else if (message.id === null) {
      this.#stop(new Error(message.message));
    } else {
      this.#answer(message);
    }
  }

  /** @param {{type: string, id: number, faces: FoundFace[], message: string}} answer */
  #answer({ type, id, faces, message }) {
    this.#busyWith = 0;
    const job = this.#current;
    if (job?.id !== id) {
      this.#send();
      return;
    }
    this.#current = null;
    if (type === "faces") job.resolve(faces);
    else job.reject(new Error(message));
  }

  /** @param {unknown} error */
  #dropCurrent(error) {
    const job = this.#current;
    this.#current = null;
    if (!job) return;
    if (this.#busyWith !== job.id) job.bitmap.close(); // it never left this page
    job.reject(error);
  }

  /** @param {unknown} error */
  #stop(error) {
    this.#worker?.terminate();
    this.#worker = null;
    this.#load?.reject(error);
    this.#load = null;
    this.#loading = null;
    this.#thresholds = [];
    this.#dropCurrent(error);
    this.#busyWith = 0;
  }
}

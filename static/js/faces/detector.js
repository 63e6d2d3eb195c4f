/**
 * The page's side of face finding: starts the worker, hands it pictures, gives back boxes.
 */

/** @typedef {import("./geometry.js").Box} Box */
/** @typedef {{worker: string, opencv: string, wasm: string, cascade: string, settings: string}} Addresses */
/**
 * @typedef {object} Job
 * @property {number} id
 * @property {ImageBitmap} bitmap
 * @property {number | "live" | undefined} level
 * @property {(boxes: Box[]) => void} resolve
 * @property {(error: unknown) => void} reject
 */

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
  #levels = 0;
  #defaultLevel = 0;

  /** @param {Addresses} urls */
  constructor(urls) {
    this.urls = urls;
  }

  /** How many levels from fewer to more faces there are; 0 until loaded. */
  get levels() {
    return this.#levels;
  }

  /** The level that is taken when none is asked for. */
  get defaultLevel() {
    return this.#defaultLevel;
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
      const { worker: workerUrl, opencv, wasm, cascade, settings } = this.urls;
      const worker = new Worker(workerUrl);
      worker.addEventListener("message", ({ data }) => this.#receive(data));
      worker.addEventListener("error", (event) => {
        event.preventDefault();
        this.#stop(new Error(`The face finder stopped. ${event.message ?? ""}`.trim()));
      });
      this.#worker = worker;
      const absolute = (/** @type {string} */ url) => new URL(url, document.baseURI).href;
      worker.postMessage({
        type: "load",
        opencv: absolute(opencv),
        wasm: absolute(wasm),
        cascade: absolute(cascade),
        settings: absolute(settings),
      });
    });
    return this.#loading;
  }

  /**
   * Find the faces in a picture, the largest first.
   *
   * A call while another one is under way takes its place: the older promise rejects with an
   * `AbortError`, the newer picture goes to the worker as soon as that is free.
   * @param {ImageBitmap} bitmap is handed over and cannot be used afterwards
   * @param {number | "live"} [level] 0 (fewest faces) to `levels - 1`, or "live" for a picture that plays;
   *   without it, the default level
   * @returns {Promise<Box[]>} in pixels of the bitmap
   */
  async detect(bitmap, level) {
    if (!(bitmap instanceof ImageBitmap) || bitmap.width === 0) {
      throw new TypeError("detect() takes an open ImageBitmap.");
    }
    if (!this.#levels) throw new Error("The face finder is not loaded: await load() first.");
    const counted = level !== undefined && level !== "live";
    if (counted && !(Number.isInteger(level) && level >= 0 && level < this.#levels)) {
      throw new RangeError(`The level must be 0 to ${this.#levels - 1}; received ${level}.`);
    }
    this.#dropCurrent(superseded());
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#current = { id, bitmap, level, resolve, reject };
      if (!this.#busyWith) this.#send();
    });
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
      this.#levels = message.levels;
      this.#defaultLevel = message.defaultLevel;
      this.#load?.resolve();
      this.#load = null;
    } else if (message.id === null) {
      this.#stop(new Error(message.message));
    } else {
      this.#answer(message);
    }
  }

  /** @param {{type: string, id: number, boxes: Box[], message: string}} answer */
  #answer({ type, id, boxes, message }) {
    this.#busyWith = 0;
    const job = this.#current;
    if (job?.id !== id) {
      this.#send();
      return;
    }
    this.#current = null;
    if (type === "boxes") job.resolve(boxes);
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
    this.#levels = 0;
    this.#dropCurrent(error);
    this.#busyWith = 0;
  }
}

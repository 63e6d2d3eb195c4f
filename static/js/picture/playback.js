/**
 * A video or an animation that plays: the element that shows it, and which frame that is.
 *
 * Emits `pause` when it stops without having been told to: at the end of a video, or when something
 * outside of the page (a media key) pauses it.
 */

/** A browser shows frames of an animation that ask for less for this long instead. */
const SHORTEST_FRAME_MS = 20;
const DEFAULT_FRAME_MS = 100;

/** @typedef {{canvas: HTMLCanvasElement, draw: (index: number) => Promise<number>, count: number}} Reel
 * `draw` puts a frame on the canvas and gives back for how many milliseconds it is seen */

/** @typedef {VideoPlayback | AnimationPlayback} Playback */

/** Plays a video element, without sound. */
export class VideoPlayback extends EventTarget {
  #told = true;

  /** @param {HTMLVideoElement} video loaded @param {number} count steps that the video is offered in */
  constructor(video, count) {
    super();
    this.surface = video;
    this.count = count;
    video.addEventListener("pause", this.#hear);
  }

  /** The frame that is shown; it may lie between two steps. */
  get frame() {
    return (this.surface.currentTime * this.count) / this.surface.duration;
  }

  /** The same as a span: it has no length of its own. */
  get shown() {
    return { from: this.frame, to: this.frame };
  }

  /** Whether an earlier frame is shown still. */
  get isSeeking() {
    return this.surface.seeking;
  }

  /** Go to a frame and play on. @param {number} frame */
  seek(frame) {
    this.surface.currentTime = (frame * this.surface.duration) / this.count;
  }

  /** @param {number} [from] frame to begin with; without it, where it is @returns {Promise<void>} */
  async play(from) {
    this.#told = false;
    const { surface, count } = this;
    if (from !== undefined) surface.currentTime = from >= count - 1 ? 0 : (from * surface.duration) / count;
    await surface.play();
  }

  pause() {
    this.#told = true;
    this.surface.pause();
  }

  close() {
    this.pause();
    this.surface.removeEventListener("pause", this.#hear);
    this.surface.remove();
  }

  #hear = () => {
    if (!this.#told && this.surface.paused) this.dispatchEvent(new Event("pause"));
  };
}

/** Plays an animation over and over on a canvas. */
class AnimationPlayback extends EventTarget {
  #timer = 0;
  /** Counts starts and stops, so that a frame that was decoded for an earlier one is not shown. */
  #turn = 0;
  isSeeking = false;

  /** @param {Reel} reel @param {number} frame that is shown */
  constructor({ canvas, draw, count }, frame) {
    super();
    this.frame = frame;
    this.surface = canvas;
    this.draw = draw;
    this.count = count;
  }

  /** The frame that is shown, to its end. */
  get shown() {
    return { from: this.frame, to: this.frame + 1 };
  }

  /** Go to a frame and play on. @param {number} frame */
  seek(frame) {
    clearTimeout(this.#timer);
    this.play(frame).catch(() => this.dispatchEvent(new Event("pause")));
  }

  /** @param {number} [from] frame to begin with; without it, where it is @returns {Promise<void>} */
  async play(from = this.frame) {
    this.#turn += 1;
    await this.#show(Math.floor(from) % this.count, this.#turn);
  }

  pause() {
    this.#turn += 1;
    clearTimeout(this.#timer);
  }

  close() {
    this.pause();
    this.surface.remove();
  }

  /** @param {number} index @param {number} turn */
  async #show(index, turn) {
    const started = performance.now();
    const stay = await this.draw(index);
    if (turn !== this.#turn) return;
    this.frame = index;
    const next = () => {
      this.#show((index + 1) % this.count, turn).catch(() => this.dispatchEvent(new Event("pause")));
    };
    this.#timer = window.setTimeout(next, Math.max(0, stay - (performance.now() - started)));
  }
}

/** For how long browsers show a frame that asks for so long. @param {number} [milliseconds] none: not known yet */
export function frameTime(milliseconds = 0) {
  return milliseconds < SHORTEST_FRAME_MS ? DEFAULT_FRAME_MS : milliseconds;
}

/** @param {ImageDecoder} decoder @param {number} count @param {number[]} stays of each frame, in milliseconds @param {number} frame that is shown */
export function playAnimation(decoder, count, stays, frame) {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  const draw = async (/** @type {number} */ frameIndex) => {
    const { image } = await decoder.decode({ frameIndex });
    const { displayWidth: width, displayHeight: height } = image;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    context?.clearRect(0, 0, width, height);
    context?.drawImage(image, 0, 0);
    stays[frameIndex] = frameTime((image.duration ?? 0) / 1000);
    image.close();
    return stays[frameIndex];
  };
  return new AnimationPlayback({ canvas, draw, count }, frame);
}

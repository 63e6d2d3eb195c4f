/**
 * A file → a picture: one bitmap of upright source pixels, and for animations and videos the others.
 *
 * The browser decodes. What it cannot decode is refused with an `UnreadableError`.
 */

import { sayTime, say } from "../page/messages.js";
import { decodeUpright } from "./orientation.js";
import { VideoPlayback, frameTime, playAnimation } from "./playback.js";

/** Larger pictures are scaled down to this many pixels; a bitmap takes four bytes for each. */
const MAX_PIXELS = 64e6;
/** A video is offered in tenths of a second, a long one in this many steps. */
const MAX_VIDEO_STEPS = 3000;
const VIDEO_STEP_S = 0.1;
/** A browser that is busy may lose a load: it is begun once more. */
const VIDEO_AGAIN_MS = 5_000;
const VIDEO_PATIENCE_MS = 30_000;
/** A browser that is busy may fail at a video that it can play, too. */
const VIDEO_ATTEMPTS = 3;
const VIDEO_PAUSE_MS = 300;
/** So much of a file tells its type. */
const HEAD_BYTES = 64;

/** The browser cannot make a picture of this file. */
class UnreadableError extends Error {
  constructor() {
    super("unreadable");
    this.name = "UnreadableError";
  }
}

/**
 * Where a picture's frames come from.
 * @typedef {object} FrameSource
 * @property {number} count
 * @property {(index: number) => Promise<ImageBitmap>} decode
 * @property {(index: number) => string} label what the slider says
 * @property {(index: number) => number} time when a frame begins, in seconds; that of `count` is the end
 * @property {(frame: number) => import("./playback.js").Playback | null} play at this frame; null: it does not move
 * @property {() => void} close
 */

/** The picture that is shown: `bitmap` is the current frame. */
export class Picture {
  /** @param {FrameSource} source @param {ImageBitmap} bitmap @param {number} frame */
  constructor(source, bitmap, frame) {
    this.bitmap = bitmap;
    this.frame = frame;
    this.#wanted = frame;
    this.#source = source;
  }

  /** @type {FrameSource} */
  #source;
  /** Quarters clockwise by which it is turned. */
  turns = 0;
  #wanted;
  /** @type {Promise<unknown>} */
  #decoding = Promise.resolve();

  get width() {
    return this.bitmap.width;
  }

  get height() {
    return this.bitmap.height;
  }

  get frameCount() {
    return this.#source.count;
  }

  /** The frame that is shown, or on its way. */
  get wanted() {
    return this.#wanted;
  }

  /** The way to play it; null if it does not move. It plays beside `bitmap`, which stays as it is. */
  openPlayback() {
    return this.#source.play(this.frame);
  }

  /** @param {number} [frame] */
  frameLabel(frame = this.frame) {
    return this.#source.label(frame);
  }

  /** When a frame begins, in seconds; that of `frameCount` is the end. @param {number} frame */
  timeOf(frame) {
    return this.#source.time(frame);
  }

  /** Turn it a quarter clockwise. */
  turn() {
    const { width, height } = this.bitmap;
    const canvas = new OffscreenCanvas(height, width);
    const context = canvas.getContext("2d");
    if (!context) throw new Error("no 2d canvas");
    context.translate(height, 0);
    context.rotate(Math.PI / 2);
    context.drawImage(this.bitmap, 0, 0);
    this.bitmap.close();
    this.bitmap = canvas.transferToImageBitmap();
    this.turns = (this.turns + 1) % 4;
  }

  /** @param {number} turns the quarters it shall be turned by */
  turnTo(turns) {
    while (this.turns !== turns % 4) this.turn();
  }

  /**
   * Decode another frame; of several calls in a hurry the last wins. The one that is shown may be called back.
   * @param {number} frame @returns {Promise<boolean>} false if a later call took over
   * @throws {Error} it cannot be decoded, and nobody wants another
   */
  async show(frame) {
    this.#wanted = frame;
    if (frame === this.frame) return true;
    const before = this.#decoding;
    const turn = before.catch(() => null).then(() => {
      return this.#wanted === frame ? this.#source.decode(frame) : null;
    });
    this.#decoding = turn;
    let bitmap;
    try {
      bitmap = await turn;
    } catch (error) {
      if (this.#wanted !== frame) return false;
      this.#wanted = this.frame;
      throw error;
    }
    if (!bitmap) return false;
    if (this.#wanted !== frame) {
      bitmap.close();
      return false;
    }
    this.bitmap.close();
    this.bitmap = bitmap;
    this.frame = frame;
    return true;
  }

  close() {
    this.bitmap.close();
    this.#source.close();
  }
}

/**
 * @param {Blob} blob @param {number} [frame] the frame to begin with
 * @returns {Promise<Picture>} @throws {UnreadableError}
 */
export async function openPicture(blob, frame = 0) {
  const type = await sniffType(blob);
  const began = performance.now();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await openFrame(blob, type, frame);
    } catch {
      const isLast = attempt === VIDEO_ATTEMPTS || performance.now() - began > VIDEO_PATIENCE_MS;
      if (isLast || !type.startsWith("video/")) throw new UnreadableError();
      await new Promise((resolve) => setTimeout(resolve, VIDEO_PAUSE_MS));
    }
  }
}

/** @param {Blob} blob @param {string} type @param {number} frame @returns {Promise<Picture>} */
async function openFrame(blob, type, frame) {
  const source = await openSource(blob, type);
  const first = Math.min(frame, source.count - 1);
  try {
    return new Picture(source, await source.decode(first), first);
  } catch (error) {
    source.close();
    throw error;
  }
}

/** A picture file, or the first frame of an animation, upright. @param {Blob} blob @returns {Promise<ImageBitmap>} */
export async function decodeStill(blob) {
  return decodeUpright(blob, await sniffType(blob));
}

/** @param {Blob} blob @param {string} type @returns {Promise<FrameSource>} */
async function openSource(blob, type) {
  if (type.startsWith("video/")) return openVideo(blob);
  const animation = ["image/gif", "image/png", "image/webp", "image/avif"].includes(type)
    ? await openAnimation(blob, type)
    : null;
  if (animation) return animation;
  return {
    count: 1,
    decode: () => decodeUpright(blob, type).then(limitSize),
    label: () => "",
    time: () => 0,
    play: () => null,
    close: () => {},
  };
}

/** The type by the first bytes: names and declared types are often wrong. @param {Blob} blob */
async function sniffType(blob) {
  const bytes = new Uint8Array(await blob.slice(0, HEAD_BYTES).arrayBuffer());
  const text = String.fromCharCode(...bytes);
  if (text.startsWith("GIF8")) return "image/gif";
  if (text.startsWith("\x89PNG")) return "image/png";
  if (text.startsWith("RIFF") && text.slice(8, 12) === "WEBP") return "image/webp";
  if (text.slice(4, 8) === "ftyp") return typeOfBrands(text.slice(8, new DataView(bytes.buffer).getUint32(0)));
  if (text.startsWith("\x1a\x45\xdf\xa3")) return "video/webm";
  if (text.startsWith("OggS")) return "video/ogg";
  return blob.type;
}

/** AVIF, HEIC and videos begin alike: which brands a file names tells them apart. @param {string} named */
function typeOfBrands(named) {
  const brands = named.match(/.{4}/gs) ?? [];
  if (brands.some((brand) => /^avi[fs]$/.test(brand))) return "image/avif";
  return brands.some((brand) => /^(hei[cmsx]|hev[cmsx]|mif1|msf1)$/.test(brand)) ? "image/heic" : "video/mp4";
}

/** @param {ImageBitmap} bitmap @returns {Promise<ImageBitmap>} */
async function limitSize(bitmap) {
  const scale = Math.sqrt(MAX_PIXELS / (bitmap.width * bitmap.height));
  if (scale >= 1) return bitmap;
  const smaller = await createImageBitmap(bitmap, {
    resizeWidth: Math.floor(bitmap.width * scale),
    resizeHeight: Math.floor(bitmap.height * scale),
    resizeQuality: "high",
  });
  bitmap.close();
  return smaller;
}

/**
 * @param {Blob} blob @param {string} type
 * @returns {Promise<FrameSource | null>} null if it does not move, or this browser cannot take it apart
 */
async function openAnimation(blob, type) {
  if (!("ImageDecoder" in window) || !(await ImageDecoder.isTypeSupported(type))) return null;
  const decoder = new ImageDecoder({ data: await blob.arrayBuffer(), type });
  try {
    await decoder.completed;
    await decoder.tracks.ready;
  } catch {
    decoder.close();
    return null;
  }
  const count = decoder.tracks.selectedTrack?.frameCount ?? 1;
  if (count < 2) {
    decoder.close();
    return null;
  }
  /** For how long each frame is shown, as far as they were decoded. @type {number[]} */
  const stays = Array(count).fill(frameTime());
  return {
    count,
    decode: async (index) => {
      const frameIndex = Math.floor(index);
      const { image } = await decoder.decode({ frameIndex });
      stays[frameIndex] = frameTime((image.duration ?? 0) / 1000);
      try {
        return await limitSize(await createImageBitmap(image));
      } finally {
        image.close();
      }
    },
    label: (index) => say("frame_of", { number: Math.floor(index) + 1, total: count }),
    time: (index) => stays.slice(0, Math.floor(index)).reduce((sum, stay) => sum + stay, 0) / 1000,
    play: (frame) => playAnimation(decoder, count, stays, Math.floor(frame)),
    close: () => decoder.close(),
  };
}

/** @param {Blob} blob @returns {Promise<FrameSource>} */
async function openVideo(blob) {
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.preload = "auto";
  const url = URL.createObjectURL(blob);
  const close = () => {
    video.removeAttribute("src");
    video.load();
    URL.revokeObjectURL(url);
  };
  try {
    video.src = url;
    const again = setTimeout(() => {
      if (video.readyState === video.HAVE_NOTHING) video.load();
    }, VIDEO_AGAIN_MS);
    await happens(video, "loadeddata").finally(() => clearTimeout(again));
    // A stream that was recorded in a browser does not know its length until its end is looked for.
    if (!Number.isFinite(video.duration)) await seek(video, Number.MAX_SAFE_INTEGER);
    if (!video.videoWidth) throw new UnreadableError();
  } catch (error) {
    close();
    throw error;
  }
  const { duration } = video;
  const count = Math.max(1, Math.min(MAX_VIDEO_STEPS, Math.ceil(duration / VIDEO_STEP_S)));
  const timeOf = (/** @type {number} */ index) => (index * duration) / count;
  return {
    count,
    decode: async (index) => {
      await seek(video, timeOf(index));
      return limitSize(await createImageBitmap(video));
    },
    label: (index) => say("time_of", { time: sayTime(timeOf(index)), total: sayTime(duration) }),
    time: timeOf,
    play: () => (count > 1 ? new VideoPlayback(video, count) : null),
    close,
  };
}

/** @param {HTMLVideoElement} video @param {number} time in seconds */
async function seek(video, time) {
  if (video.currentTime === time && !video.seeking) return;
  const arrived = happens(video, "seeked", ["error", "emptied"]); // emptied: the picture was closed
  video.currentTime = time;
  await arrived;
}

/** @param {HTMLVideoElement} video @param {string} event @param {string[]} [failures] @returns {Promise<void>} */
function happens(video, event, failures = ["error"]) {
  return new Promise((resolve, reject) => {
    const controller = new AbortController();
    const { signal } = controller;
    const settle = (/** @type {() => void} */ how) => () => {
      controller.abort();
      clearTimeout(timer);
      how();
    };
    const fail = settle(() => reject(new UnreadableError()));
    const timer = setTimeout(fail, VIDEO_PATIENCE_MS);
    video.addEventListener(event, settle(resolve), { signal });
    for (const failure of failures) video.addEventListener(failure, fail, { signal });
  });
}

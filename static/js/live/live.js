/**
 * Live: the picture plays, and a few times a second its faces are found and, where needed, the server is
 * asked who they are. Playing never waits for either.
 *
 * One look and one question are under way at a time. When the server is busy or out of reach, questions
 * wait and looks go on. In a hidden tab everything stands still.
 */

import { MovingPart } from "../faces/bars.js";
import { ConnectionError, ServerError, isAbort } from "../page/api.js";
import { encodeQuickCrops } from "../picture/crops.js";
import { CutWatch } from "./cuts.js";
import { LiveView } from "./live-view.js";
import { isTouched, say, sayWhen, settings } from "../page/messages.js";
import { rest } from "../page/rest.js";
import { announce } from "../page/status.js";
import { identifyHere } from "../taught/asking.js";
import { Timeline } from "./timeline.js";
import { FaceTracks, scaleBox } from "./tracks.js";

/** @typedef {import("../faces/geometry.js").Box} Box */
/** @typedef {import("../picture/picture.js").Picture} Picture */
/** @typedef {import("../picture/playback.js").Playback} Playback */
/** @typedef {import("../faces/search.js").FaceSearch} FaceSearch */
/** @typedef {import("../page/status.js").StatusLine} StatusLine */
/** @typedef {import("./tracks.js").Track} Track */
/**
 * @typedef {object} Session one run of Live, from its start to its end
 * @property {Picture} picture
 * @property {Playback} playback
 * @property {MovingPart} shown of the picture, without its bars
 * @property {AbortController} end
 * @property {AbortController} looking aborted while the tab is hidden
 * @property {boolean} isPlaying it has begun
 */

/** From the start of one look to the next; looks that take longer follow each other at once. */
const LOOK_MS = 200;
const SHORTEST_REST_MS = 20;
/** The face finder gets the frame this large; it looks at it in 320 pixels. */
const LOOK_SIDE_PX = 480;
/** From the start of one question to the next: at most two and a half a second. */
const ASK_MS = 400;
const FACES_AT_ONCE = 8;
/** How long questions wait after a failure; doubled with each further one. */
const FIRST_WAIT_S = 1;
const LONGEST_WAIT_S = 30;

/** Emits `change` when it starts or ends, `play` when the picture begins to play, and `frame` while it does. */
export class Live extends EventTarget {
  /** @type {Session | null} */
  #session = null;
  #tracks = new FaceTracks();
  #size = { width: 1, height: 1 };
  #cuts = new CutWatch();
  #cutAt = 0;
  #asking = false;
  #askFrom = 0;
  #failures = 0;
  /** Resolved when the frame at which it stopped is shown as a still picture. @type {Promise<void>} */
  settled = Promise.resolve();

  /**
   * @param {HTMLElement} ground what the picture lies on
   * @param {FaceSearch} search @param {StatusLine} status
   * @param {(frame: number) => Promise<void>} settle show a frame as a still picture
   */
  constructor(ground, search, status, settle) {
    super();
    this.view = new LiveView(ground, () => void this.pause());
    this.search = search;
    this.status = status;
    this.settle = settle;
    this.timeline = new Timeline((frame) => this.#seek(frame), status);
    document.addEventListener("visibilitychange", () => this.#followVisibility());
    addEventListener("online", () => (this.#askFrom = 0));
  }

  get running() {
    return this.#session !== null;
  }

  /** The frame that plays, or null. */
  get frame() {
    return this.#session?.playback.frame ?? null;
  }

  /** Play the picture and follow its faces. @param {Picture} picture that can be played */
  async start(picture) {
    const playback = this.#session ? null : picture.openPlayback();
    if (!playback) return;
    const [end, looking] = [new AbortController(), new AbortController()];
    const session = { picture, playback, shown: new MovingPart(), end, looking, isPlaying: false };
    this.#session = session;
    this.#tracks.clear();
    this.#failures = 0;
    this.dispatchEvent(new Event("change"));
    playback.addEventListener("pause", () => void this.pause(), { signal: session.end.signal });
    try {
      if (!this.search.levels) this.status.show({ kind: "busy", text: say("loading_finder") });
      await this.search.load();
    } catch {
      if (session.end.signal.aborted) return;
      this.leave();
      const again = { action: say("try_again"), act: () => void this.start(picture) };
      return this.status.show({ kind: "error", text: say("finder_failed"), ...again });
    }
    if (session.end.signal.aborted) return;
    this.timeline.begin(picture);
    this.view.show(playback.surface);
    try {
      await playback.play(picture.frame);
    } catch {
      if (session.end.signal.aborted) return;
      this.leave();
      return this.status.show({ kind: "error", text: say("live_failed") });
    }
    if (session.end.signal.aborted) return;
    session.isPlaying = true;
    this.dispatchEvent(new Event("play"));
    this.#sayOn();
    this.#followFrames(session);
    void this.#look(session);
    this.#followVisibility();
  }

  /** Stop at the frame that is shown and treat it as a still picture. */
  async pause() {
    const session = this.#session;
    if (!session) return;
    session.playback.pause();
    const { frame } = session.playback;
    this.#finish(session);
    this.settled = this.settle(frame).finally(() => this.#putAway(session));
    await this.settled;
  }

  /** Stop and go back to the still picture as it was. */
  leave() {
    const session = this.#session;
    if (!session) return;
    this.#finish(session);
    this.#putAway(session);
  }

  /** Another picture was opened. */
  forget() {
    this.leave();
    this.view.forget();
    this.timeline.forget();
  }

  /** Go to a frame: the picture plays on from there, or stands still there. @param {number} frame */
  #seek(frame) {
    if (!this.#session) return void this.settle(frame);
    this.#session.playback.seek(frame);
    this.#cuts.forget();
    this.#changeScene();
  }

  /** The boxes of the last scene are wrong at once. */
  #changeScene() {
    this.#cutAt = performance.now();
    this.#session?.shown.lookAnew();
    this.#tracks.clear();
    this.#render();
  }

  /** @param {Session} session */
  #finish({ end, looking }) {
    end.abort();
    looking.abort();
    this.#session = null;
    this.#asking = false;
    this.#cuts.forget();
    this.view.clear();
    this.dispatchEvent(new Event("change"));
  }

  /** @param {Session} session */
  #putAway({ playback }) {
    this.view.hide();
    playback.close();
  }

  #followVisibility() {
    const session = this.#session;
    if (!session?.isPlaying) return;
    if (document.hidden) {
      session.looking.abort();
      session.playback.pause();
    } else if (session.looking.signal.aborted) {
      session.looking = new AbortController();
      session.playback.play().catch((error) => isAbort(error) || this.leave()); // aborted: hidden again
      void this.#look(session);
    }
  }

  /** Tell which frame is shown, as often as the screen is drawn. @param {Session} session */
  #followFrames(session) {
    if (session.end.signal.aborted) return;
    this.dispatchEvent(new Event("frame"));
    this.timeline.point(session.playback.frame);
    if (this.#cuts.hasCut(session.playback.surface, performance.now())) this.#changeScene();
    requestAnimationFrame(() => this.#followFrames(session));
  }

  /** Look at the picture again and again. @param {Session} session */
  async #look(session) {
    const { signal } = session.looking;
    try {
      while (!signal.aborted) {
        const started = performance.now();
        if (!session.playback.isSeeking) await this.#lookOnce(session);
        await rest(Math.max(SHORTEST_REST_MS, started + LOOK_MS - performance.now()), signal);
      }
    } catch (error) {
      if (signal.aborted || isAbort(error)) return;
      this.leave();
      this.status.show({ kind: "error", text: say("live_failed") });
    }
  }

  /** @param {Session} session */
  async #lookOnce(session) {
    const { shown, surface } = session.playback;
    const frame = { ...shown, begun: performance.now() };
    const bitmap = await createImageBitmap(surface);
    try {
      await this.#lookAt(bitmap, frame, session);
    } finally {
      bitmap.close();
    }
  }

  /** @param {ImageBitmap} bitmap @param {import("./cast-times.js").Span & {begun: number}} frame that it is of @param {Session} session */
  async #lookAt(bitmap, frame, session) {
    const part = session.shown.see(bitmap);
    const scale = Math.max(1, Math.max(part.width, part.height) / LOOK_SIDE_PX);
    const small = await createImageBitmap(bitmap, part.x, part.y, part.width, part.height, {
      resizeWidth: Math.max(1, Math.round(part.width / scale)),
      resizeHeight: Math.max(1, Math.round(part.height / scale)),
      resizeQuality: "medium",
    });
    const { detector } = this.search;
    const found = await detector.detect(small, "live");
    if (session.looking.signal.aborted || this.#cutAt >= frame.begun) return;
    const shown = found.filter((face) => detector.isShown(face, detector.playsLevel));
    this.#tracks.takeLook(shown.map(({ box }) => scaleBox(box, scale, part)), performance.now());
    this.#size = { width: bitmap.width, height: bitmap.height };
    const present = this.#render().filter(({ missed }) => missed === 0);
    this.timeline.see(this.#tracks.found.map((track) => ({ id: track.id, person: this.view.recognize(track) })), frame);
    for (const name of this.view.addCast(present, bitmap, part)) announce(say("live_appeared", { name }));
    void this.#ask(bitmap, part, session);
  }

  #render() {
    const tracks = this.#tracks.visible(performance.now());
    this.view.render(tracks, this.#size);
    return tracks;
  }

  /** Ask who the faces are that need it; crops are cut before this waits for anything. @param {ImageBitmap} bitmap @param {Box} part of it without bars @param {Session} session */
  async #ask(bitmap, part, session) {
    const now = performance.now();
    if (this.#asking || now < this.#askFrom) return;
    const tracks = this.#tracks.toAsk(now, FACES_AT_ONCE);
    if (tracks.length === 0) return;
    this.#asking = true;
    this.#askFrom = now + ASK_MS;
    this.#tracks.startAsking(tracks, now);
    const { signal } = session.looking;
    try {
      const crops = encodeQuickCrops(bitmap, tracks.map(({ found }) => found), part);
      const { faces } = await identifyHere(crops, settings.language, signal);
      if (signal.aborted) return;
      this.#tracks.takeAnswers(tracks, faces);
      this.#render();
      if (this.#failures > 0) this.#sayOn();
      this.#failures = 0;
    } catch (error) {
      this.#tracks.takeAnswers(tracks);
      if (!signal.aborted) this.#wait(error);
    } finally {
      if (this.#session === session) this.#asking = false;
    }
  }

  /** Let questions wait after one that failed, and say why. @param {unknown} error */
  #wait(error) {
    const wanted = error instanceof ServerError ? (error.retryAfter ?? 0) : 0;
    const longest = Math.max(LONGEST_WAIT_S, wanted); // what the server asks for is kept to
    const seconds = Math.min(longest, Math.max(wanted, FIRST_WAIT_S * 2 ** this.#failures));
    this.#failures += 1;
    this.#askFrom = performance.now() + seconds * 1000;
    this.status.show({ kind: "error", text: explain(error, seconds) });
  }

  #sayOn() {
    this.status.show({ kind: "info", text: say(isTouched ? "live_on_touch" : "live_on") });
  }
}

/** @param {unknown} error @param {number} seconds */
function explain(error, seconds) {
  if (error instanceof ServerError && error.isLimited) return say("too_often", { when: sayWhen(seconds) });
  if (error instanceof ServerError && error.mayPass) return say("live_busy", { seconds });
  if (error instanceof ServerError) return say("refused", { detail: error.message || String(error.status) });
  if (error instanceof ConnectionError) return say(navigator.onLine ? "live_unreachable" : "live_offline");
  throw error;
}

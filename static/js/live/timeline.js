/**
 * The timeline below the picture: a row for everybody who was recognized, with the times at which they
 * appeared. A click goes there; all of it can be copied as text and as WebVTT.
 */

import { byId, copyTemplate, part } from "../page/elements.js";
import { say, sayTime } from "../page/messages.js";
import { announce } from "../page/status.js";
import { CastTimes, writeText, writeWebVtt } from "./cast-times.js";

/** @typedef {import("../picture/picture.js").Picture} Picture */
/** @typedef {import("./cast-times.js").Appearance} Appearance */
/** @typedef {import("./cast-times.js").Seen} Seen */
/** @typedef {import("./cast-times.js").Span} Span */

/** Somebody who is out of sight for no longer than this has not left; as in Python's `BRIDGE_S`. */
const BRIDGE_S = 1;
/** Pictures that last less than this are taken to last as long. */
const SMALLEST_S = 0.1;
const COPIED_MS = 2000;

export class Timeline {
  /** @type {Picture | null} */
  #picture = null;
  #times = new CastTimes(0);
  /** By label. @type {Map<string, HTMLElement>} */
  #rows = new Map();

  /**
   * @param {(frame: number) => void} seek
   * @param {import("../page/status.js").StatusLine} status
   */
  constructor(seek, status) {
    this.status = status;
    this.section = byId("timeline", HTMLElement);
    this.list = byId("timeline-rows", HTMLOListElement);
    this.list.addEventListener("click", (event) => {
      const frame = this.#readFrame(event);
      if (frame !== null) seek(frame);
    });
    byId("timeline-text", HTMLButtonElement).addEventListener("click", (event) => void this.#copy(event, writeText));
    byId("timeline-vtt", HTMLButtonElement).addEventListener("click", (event) => void this.#copy(event, writeWebVtt));
  }

  /** A picture plays, perhaps not for the first time. @param {Picture} picture */
  begin(picture) {
    if (picture === this.#picture) return;
    this.forget();
    this.#picture = picture;
    const duration = picture.timeOf(picture.frameCount);
    this.#times = new CastTimes((BRIDGE_S * picture.frameCount) / Math.max(duration, SMALLEST_S));
  }

  /** Another picture: nobody was seen in it yet. */
  forget() {
    this.#picture = null;
    this.#rows.clear();
    this.list.replaceChildren();
    this.section.hidden = true;
  }

  /** @param {readonly Seen[]} seen the faces that a look has found @param {Span} shown the frame that it looked at */
  see(seen, shown) {
    this.#times.see(seen, shown);
    const cast = this.#times.list();
    for (const each of cast) this.#renderRow(each);
    this.section.hidden = cast.length === 0;
  }

  /** Mark the place that is shown. @param {number} frame */
  point(frame) {
    if (this.#picture) this.list.style.setProperty("--now", String(frame / this.#picture.frameCount));
  }

  /** @param {Appearance} appearance */
  #renderRow({ person, spans }) {
    let row = this.#rows.get(person.label);
    if (!row) {
      row = copyTemplate("timeline-row-template");
      this.#rows.set(person.label, row);
      this.list.append(row);
    }
    const name = part(row, ".timeline-name");
    name.textContent = name.title = person.name;
    const lane = part(row, ".timeline-lane");
    while (lane.children.length > spans.length) lane.lastElementChild?.remove();
    while (lane.children.length < spans.length) lane.append(createSpan());
    spans.forEach((span, index) => this.#renderSpan(/** @type {HTMLElement} */ (lane.children[index]), person.name, span));
  }

  /** @param {HTMLElement} button @param {string} name @param {Span} span */
  #renderSpan(button, name, { from, to }) {
    const picture = /** @type {Picture} */ (this.#picture);
    const share = (/** @type {number} */ frames) => `${(100 * frames) / picture.frameCount}%`;
    button.style.left = share(from);
    button.style.width = share(to - from);
    button.dataset.from = String(from);
    const [start, end] = [from, to].map((frame) => sayTime(picture.timeOf(frame)));
    button.title = `${start} – ${end}`;
    button.ariaLabel = say("timeline_span", { name, start, end });
  }

  /** The frame that a click is about: where it fell, or by the keyboard the first of the span. @param {MouseEvent} event */
  #readFrame({ target, detail, clientX }) {
    const lane = target instanceof Element ? target.closest(".timeline-lane") : null;
    if (!lane || !this.#picture) return null;
    if (detail === 0 && target instanceof HTMLElement) return Number(target.dataset.from ?? 0);
    const { left, width } = lane.getBoundingClientRect();
    const { frameCount } = this.#picture;
    return Math.min(frameCount - 1, Math.max(0, ((clientX - left) / width) * frameCount));
  }

  /** @param {Event} event @param {typeof writeText} write */
  async #copy({ currentTarget }, write) {
    const button = /** @type {HTMLButtonElement} */ (currentTarget);
    const picture = this.#picture;
    if (!picture) return;
    try {
      await navigator.clipboard.writeText(write(this.#times.list(), (frame) => picture.timeOf(frame)));
    } catch {
      this.status.show({ kind: "error", text: say("timeline_not_copied") });
      return;
    }
    announce(say("timeline_copied"));
    button.toggleAttribute("data-done", true);
    setTimeout(() => button.toggleAttribute("data-done", false), COPIED_MS);
  }
}

function createSpan() {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "timeline-span";
  return button;
}

/**
 * Shows the picture larger than it fits: by two buttons, the keys + - 0, and Ctrl with the wheel, which is what
 * spreading two fingers on a touchpad sends. The larger picture is scrolled in its place, by mouse or arrow keys.
 */

import { byId } from "../page/elements.js";
import { say } from "../page/messages.js";
import { isPlainKey } from "../page/tools.js";

/** @typedef {import("./editor.js").Editor} Editor */
/** @typedef {{clientX: number, clientY: number}} Point on the screen */

const STEP = 1.5;
const MAX_ZOOM = 8;
/** A notch of a wheel is about one step. */
const WHEEL_STEP_PX = 100;

export class Zoom {
  /** @param {Editor} editor */
  constructor(editor) {
    this.editor = editor;
    this.closer = byId("zoom-in", HTMLButtonElement);
    this.farther = byId("zoom-out", HTMLButtonElement);
    editor.stage.setAttribute("role", "group");
    editor.stage.setAttribute("aria-label", say("picture"));
    this.closer.addEventListener("click", () => this.#change(STEP));
    this.farther.addEventListener("click", () => this.#change(1 / STEP));
    document.addEventListener("keydown", (event) => this.#handleKey(event));
    editor.stage.addEventListener("wheel", (event) => this.#handleWheel(event), { passive: false, capture: true });
    new ResizeObserver(() => this.#render()).observe(editor.canvas);
  }

  /** Show how far it can go. */
  #render() {
    const { stage, zoom } = this.editor;
    // Not `disabled`: a button that is pressed and has nothing more to do keeps the focus.
    this.closer.ariaDisabled = String(zoom >= MAX_ZOOM);
    this.farther.ariaDisabled = String(zoom <= 1);
    // Who has no mouse scrolls it with the arrow keys.
    if (zoom > 1) stage.tabIndex = 0;
    else stage.removeAttribute("tabindex");
  }

  /** @param {number} times @param {Point} [point] what is under it stays there; without it, the middle */
  #change(times, point = middleOf(this.editor.stage)) {
    const { editor } = this;
    const zoom = Math.min(MAX_ZOOM, Math.max(1, editor.zoom * times));
    if (zoom === editor.zoom) return;
    const before = editor.canvas.getBoundingClientRect();
    const across = (point.clientX - before.left) / before.width;
    const down = (point.clientY - before.top) / before.height;
    editor.zoom = zoom;
    const after = editor.canvas.getBoundingClientRect();
    editor.stage.scrollLeft += after.left + across * after.width - point.clientX;
    editor.stage.scrollTop += after.top + down * after.height - point.clientY;
  }

  /** @param {KeyboardEvent} event */
  #handleKey(event) {
    if (!isPlainKey(event)) return;
    if (event.key === "+" || event.key === "=") this.#change(STEP);
    else if (event.key === "-") this.#change(1 / STEP);
    else if (event.key === "0") this.#change(1 / this.editor.zoom);
  }

  /** @param {WheelEvent} event */
  #handleWheel(event) {
    if (!event.ctrlKey) return;
    event.preventDefault(); // the browser would zoom the whole page
    this.#change(STEP ** (-event.deltaY / WHEEL_STEP_PX), event);
  }
}

/** @param {HTMLElement} element @returns {Point} */
function middleOf(element) {
  const { left, top, width, height } = element.getBoundingClientRect();
  return { clientX: left + width / 2, clientY: top + height / 2 };
}

/**
 * The picture with the boxes over it. Cropper.js does the dragging; this module keeps its elements
 * and the page's boxes the same, and adds the keyboard.
 *
 * Every box is a `<cropper-selection multiple>`. One more of them, the *draft*, stays hidden until
 * somebody drags over an empty part of the picture: what it covers at the end becomes a new box.
 */

import { copyTemplate } from "../page/elements.js";
import {
  boxOfView,
  keyStep,
  moveBox,
  resizeBox,
  sameBox,
  shiftBox,
  trimBox,
  viewOfBox,
} from "./geometry.js";
import { say } from "../page/messages.js";
import { drawShown, fitStage } from "./stage.js";
import { seenTimes } from "../picture/crops.js";

/** @typedef {import("./geometry.js").Box} Box */
/** @typedef {import("cropperjs").CropperSelection} Selection */
/** @typedef {import("cropperjs").CropperCanvas} Canvas */
/** @typedef {{id: number, box: Box, number: number, name: string, mark: import("../answers/cards.js").Mark, isWeak: boolean}} ShownBox */
/**
 * @typedef {object} EditorActions
 * @property {(box: Box) => void} add
 * @property {(id: number, box: Box, tag?: string) => void} change
 * @property {(id: number) => void} remove
 * @property {(id: number | null) => void} point the box that has the focus
 */

/** A drag shorter than this on the screen is a slip of the hand, not a box. */
const MIN_DRAFT_CSS_PX = 12;
/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Editor {
  /** @type {ImageBitmap | null} */
  #bitmap = null;
  #scale = 1;
  #zoom = 1;
  /** @type {readonly ShownBox[]} */
  #boxes = [];
  /** @type {Map<number, Selection>} */
  #selections = new Map();
  /** What each selection was last told to show, to know when a person has moved it. @type {WeakMap<Selection, Box>} */
  #shown = new WeakMap();
  /** The box that a person holds. @type {Selection | null} */
  #held = null;
  #drawing = false;

  /** @param {HTMLElement} stage @param {EditorActions} actions */
  constructor(stage, actions) {
    this.stage = stage;
    this.actions = actions;
    this.image = document.createElement("canvas");
    this.image.className = "stage-image position-absolute top-0 start-0 w-100 h-100 pe-none";
    this.image.setAttribute("role", "img");
    this.image.setAttribute("aria-label", say("picture"));
    this.canvas = /** @type {Canvas} */ (document.createElement("cropper-canvas"));
    this.draft = /** @type {Selection} */ (document.createElement("cropper-selection"));
    this.draft.className = "draft-box";
    for (const name of ["multiple", "movable", "resizable", "precise"]) this.draft.setAttribute(name, "");
    const ground = document.createElement("cropper-handle");
    ground.setAttribute("action", "select");
    ground.setAttribute("plain", "");
    this.canvas.append(this.image, ground, this.draft);
    stage.append(this.canvas);
    // Cropper shows and activates every new selection a moment after it was put in.
    queueMicrotask(() => this.#hideDraft());
    this.#listen();
  }

  /** Show a picture, or another frame of it. @param {ImageBitmap} bitmap */
  setPicture(bitmap) {
    const { width, height } = this.#size;
    if (bitmap.width !== width || bitmap.height !== height) this.#zoom = 1;
    this.#bitmap = bitmap;
    this.#layOut();
  }

  /** How many times as large as it fits the picture is shown. */
  get zoom() {
    return this.#zoom;
  }

  set zoom(zoom) {
    this.#zoom = zoom;
    this.#layOut();
  }

  /** @param {readonly ShownBox[]} boxes */
  render(boxes) {
    this.#boxes = boxes;
    this.canvas.style.setProperty("--seen", String(seenTimes()));
    const focused = boxes.find(({ id }) => this.#selections.get(id) === document.activeElement);
    this.#removeUnordered(boxes.map((box) => box.id));
    for (const shown of boxes) this.#renderBox(shown);
    if (focused) this.focus(focused.id);
    // Cropper has just activated the newest: what has the focus decides.
    queueMicrotask(() => this.#activateFocused());
  }

  /** @param {number} id */
  focus(id) {
    const selection = this.#selections.get(id);
    if (selection !== document.activeElement) selection?.focus({ preventScroll: true });
  }

  /** Make a box stand out while its card is pointed at. @param {number | null} id */
  highlight(id) {
    for (const [each, selection] of this.#selections) {
      selection.classList.toggle("is-pointed", each === id);
    }
  }

  /**
   * Remove the boxes that are gone, and all if those that stay would not stand in the order of their
   * numbers, which is the order in which Tab goes through them.
   * @param {number[]} ids
   */
  #removeUnordered(ids) {
    const kept = [...this.#selections.keys()].filter((id) => ids.includes(id));
    const ordered = kept.every((id, index) => ids[index] === id);
    for (const [id, selection] of this.#selections) {
      if (ordered && ids.includes(id)) continue;
      this.#selections.delete(id);
      selection.remove();
    }
  }

  /** @param {ShownBox} shown */
  #renderBox({ id, box, number, name, mark, isWeak }) {
    let selection = this.#selections.get(id);
    if (!selection) {
      selection = this.#createSelection(id);
      this.#selections.set(id, selection);
      this.canvas.append(selection);
    }
    const view = viewOfBox(box, this.#scale);
    const before = this.#shown.get(selection);
    // An answer may come while a person holds the box: it stays in the hand.
    if (selection !== this.#held || !before || !sameBox(view, before)) {
      this.#shown.set(selection, view);
      selection.$change(view.x, view.y, view.width, view.height);
    }
    selection.dataset.mark = mark;
    selection.toggleAttribute("data-weak", isWeak);
    const isProbable = mark === "probably";
    const who = isProbable ? say("probably", { name }) : name;
    selection.setAttribute("aria-label", name ? say("box_label", { number, who }) : say("face_number", { number }));
    const [digit, words] = selection.querySelectorAll(".box-tag > *");
    digit.textContent = String(number);
    words.textContent = isProbable ? say("maybe", { name }) : name;
  }

  /** @param {number} id @returns {Selection} */
  #createSelection(id) {
    const selection = /** @type {Selection} */ (copyTemplate("box-template"));
    selection.setAttribute("aria-roledescription", say("box_role"));
    selection.addEventListener("focus", () => {
      this.#activateFocused();
      this.actions.point(id);
    });
    selection.addEventListener("blur", () => this.actions.point(null));
    selection.addEventListener("keydown", (event) => this.#handleKey(event, id));
    return selection;
  }

  #hideDraft() {
    this.#drawing = false;
    this.draft.$clear();
    this.draft.active = false;
  }

  #activateFocused() {
    this.draft.active = this.#drawing;
    for (const selection of this.#selections.values()) {
      selection.active = selection === document.activeElement;
    }
  }

  #listen() {
    const { canvas } = this;
    canvas.addEventListener("actionstart", (event) => this.#startAction(/** @type {CustomEvent} */ (event)));
    canvas.addEventListener("actionend", (event) => this.#endAction(/** @type {CustomEvent} */ (event)));
    canvas.addEventListener("change", (event) => this.#keepInside(/** @type {CustomEvent} */ (event)));
    // Cropper takes the wheel to zoom; here the wheel scrolls the page, as everywhere.
    this.stage.addEventListener("wheel", (event) => event.stopPropagation(), { capture: true, passive: true });
    let width = 0;
    new ResizeObserver(() => {
      if (this.stage.offsetWidth === width) return;
      width = this.stage.offsetWidth;
      this.#layOut();
    }).observe(this.stage);
  }

  /** @param {CustomEvent} event */
  #startAction({ detail }) {
    const target = /** @type {Element} */ (detail.relatedEvent.target);
    const selection = /** @type {Selection | null} */ (target.closest(".face-box"));
    if (selection) {
      this.#held = selection;
      selection.focus({ preventScroll: true });
      return;
    }
    if (detail.action !== "select") return;
    /** @type {HTMLElement | null} */ (document.activeElement)?.blur();
    this.#drawing = true;
    this.#activateFocused();
  }

  /** @param {CustomEvent} event */
  #endAction({ detail }) {
    const cancelled = detail.relatedEvent.type === "pointercancel";
    const drawn = this.draft.hidden ? null : viewOf(this.draft);
    this.#held = null;
    this.#hideDraft();
    if (drawn) {
      const long = drawn.width >= MIN_DRAFT_CSS_PX && drawn.height >= MIN_DRAFT_CSS_PX;
      if (long && !cancelled) this.actions.add(this.#boxOf(drawn));
      return;
    }
    for (const { id, box } of this.#boxes) {
      const selection = this.#selections.get(id);
      const shown = selection && this.#shown.get(selection);
      if (!selection || !shown) continue;
      const view = viewOf(selection);
      if (sameBox(view, shown)) continue;
      const moved = view.width === shown.width && view.height === shown.height;
      const next = this.#boxOf(view);
      // A box that was only moved keeps its size to the pixel.
      this.actions.change(id, moved ? moveBox(box, next.x - box.x, next.y - box.y, this.#size) : next);
    }
    this.render(this.#boxes.map((shown) => shown));
  }

  /** Hold a box that is being dragged inside the picture. @param {CustomEvent} event */
  #keepInside(event) {
    const selection = /** @type {Selection} */ (event.target);
    if (!(selection instanceof HTMLElement) || !selection.matches("cropper-selection")) return;
    const view = /** @type {Box} */ (event.detail);
    if (view.width === 0 && view.height === 0) return;
    const space = { width: this.#size.width * this.#scale, height: this.#size.height * this.#scale };
    const moves = view.width === selection.width && view.height === selection.height;
    const inside = moves ? shiftBox(view, space) : trimBox(view, space);
    if (sameBox(inside, view)) return;
    event.preventDefault();
    selection.$change(inside.x, inside.y, inside.width, inside.height);
  }

  /** @param {KeyboardEvent} event @param {number} id */
  #handleKey(event, id) {
    const shown = this.#boxes.find((each) => each.id === id);
    if (!shown || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      this.actions.remove(id);
      return;
    }
    const arrow = ARROWS[event.key];
    if (!arrow) return;
    event.preventDefault();
    const step = keyStep(this.#size);
    const change = event.shiftKey ? resizeBox : moveBox;
    const box = change(shown.box, arrow[0] * step, arrow[1] * step, this.#size);
    this.actions.change(id, box, event.shiftKey ? "resize" : "move");
  }

  get #size() {
    return { width: this.#bitmap?.width ?? 1, height: this.#bitmap?.height ?? 1 };
  }

  /** @param {Box} view */
  #boxOf(view) {
    return boxOfView(view, this.#scale, this.#size);
  }

  /** Choose the scale for the space there is, draw the picture in it, and the boxes over it. */
  #layOut() {
    const bitmap = this.#bitmap;
    if (!bitmap || this.stage.offsetWidth === 0) return;
    this.#scale = fitStage(this.stage, bitmap, this.#zoom);
    const shown = { width: bitmap.width * this.#scale, height: bitmap.height * this.#scale };
    this.canvas.style.width = `${shown.width}px`;
    this.canvas.style.height = `${shown.height}px`;
    drawShown(this.image, bitmap, shown);
    this.render(this.#boxes);
  }
}

/** @param {Selection} selection @returns {Box} */
function viewOf({ x, y, width, height }) {
  return { x, y, width, height };
}

/**
 * The controls around the picture: add, undo, redo, identify, more or fewer faces, and the frames.
 */

import { byId } from "./elements.js";
import { say } from "./messages.js";

/** @typedef {import("./state.js").PageState} PageState */
/** @typedef {import("../faces/search.js").FaceSearch} FaceSearch */
/**
 * @typedef {object} ToolActions
 * @property {() => void} add
 * @property {() => void} turn
 * @property {() => void} undo
 * @property {() => void} redo
 * @property {() => void} identify
 * @property {(level: number) => void} level
 * @property {(frame: number, settled: boolean) => void} frame
 * @property {() => void} live
 * @property {(what: import("../answers/take-along.js").What) => void} take
 * @property {() => void} pause
 */

export class Tools {
  /** @param {ToolActions} actions */
  constructor(actions) {
    this.add = byId("add-button", HTMLButtonElement);
    this.turn = byId("turn-button", HTMLButtonElement);
    this.undo = byId("undo-button", HTMLButtonElement);
    this.redo = byId("redo-button", HTMLButtonElement);
    this.identify = byId("identify-button", HTMLButtonElement);
    this.level = byId("level-slider", HTMLInputElement);
    this.more = byId("more-faces", HTMLButtonElement);
    this.frameRow = byId("frame-row", HTMLElement);
    this.frame = byId("frame-slider", HTMLInputElement);
    this.live = byId("live-button", HTMLButtonElement);
    this.frameLabel = byId("frame-label", HTMLOutputElement);
    this.empty = byId("no-cards", HTMLElement);
    this.takeRow = byId("take-row", HTMLElement);
    this.add.addEventListener("click", actions.add);
    this.turn.addEventListener("click", actions.turn);
    this.undo.addEventListener("click", actions.undo);
    this.redo.addEventListener("click", actions.redo);
    this.identify.addEventListener("click", () => {
      if (this.identify.ariaDisabled !== "true") actions.identify();
    });
    this.level.addEventListener("change", () => actions.level(this.level.valueAsNumber));
    this.more.addEventListener("click", () => actions.level(Number(this.level.max)));
    this.frame.addEventListener("input", () => actions.frame(this.frame.valueAsNumber, false));
    this.frame.addEventListener("change", () => actions.frame(this.frame.valueAsNumber, true));
    this.live.addEventListener("click", actions.live);
    for (const button of this.takeRow.querySelectorAll("button")) {
      const what = /** @type {import("../answers/take-along.js").What} */ (button.dataset.take);
      button.addEventListener("click", () => actions.take(what));
    }
    document.addEventListener("keydown", (event) => {
      handleShortcut(event, actions);
      if (isPlainKey(event) && event.key.toLowerCase() === "r") actions.turn();
      if (!this.frameRow.hidden) handleLiveKey(event, actions);
    });
  }

  /** @param {PageState} state @param {FaceSearch} search */
  render(state, search) {
    // Not `disabled`: a button that is pressed and has nothing more to do keeps the focus.
    this.undo.ariaDisabled = String(!state.canUndo);
    this.redo.ariaDisabled = String(!state.canRedo);
    const waiting = state.waiting().length;
    const asking = state.asking.size > 0;
    this.identify.hidden = state.faces.length === 0;
    this.identify.ariaDisabled = String(waiting === 0 || asking);
    this.identify.textContent = identifyWords(waiting, asking);
    this.empty.hidden = state.faces.length > 0 || search.running;
    this.takeRow.hidden = state.faces.length === 0;
    this.#renderLevel(search.levels);
    const hidden = search.running ? 0 : search.hidden;
    this.more.hidden = hidden === 0;
    this.more.textContent = say("more_faces", { count: hidden });
  }

  /** Set the slider to a newly opened picture. @param {import("../picture/picture.js").Picture} picture */
  showFrames(picture) {
    this.frameRow.hidden = picture.frameCount < 2;
    this.turn.hidden = picture.frameCount > 1;
    this.frame.max = String(picture.frameCount - 1);
    this.followFrame(picture, picture.frame);
  }

  /** @param {boolean} running */
  showLive(running) {
    this.live.ariaPressed = String(running);
    // The label is read out when it changes: not thirty times a second.
    this.frameLabel.ariaLive = running ? "off" : null;
  }

  /** Follow the playing picture. @param {import("../picture/picture.js").Picture} picture @param {number} frame */
  followFrame(picture, frame) {
    this.frame.valueAsNumber = frame;
    const label = picture.frameLabel(frame);
    this.frameLabel.textContent = label;
    this.frame.ariaValueText = label;
  }

  /** @param {{count: number, chosen: number} | null} levels */
  #renderLevel(levels) {
    this.level.disabled = !levels;
    if (!levels) return;
    this.level.max = String(levels.count - 1);
    this.level.valueAsNumber = levels.chosen;
    this.level.ariaValueText = say("strictness", { number: levels.chosen + 1, total: levels.count });
  }
}

/** @param {number} waiting @param {boolean} asking */
function identifyWords(waiting, asking) {
  if (asking) return say("asked");
  return waiting === 0 ? say("identified") : say("identify", { count: waiting });
}

/** @param {KeyboardEvent} event @param {ToolActions} actions */
function handleShortcut(event, { undo, redo }) {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || isElsewhere(event)) return;
  const key = event.key.toLowerCase();
  const again = key === "y" || (key === "z" && event.shiftKey);
  if (!again && key !== "z") return;
  event.preventDefault();
  if (again) redo();
  else undo();
}

/** A key that nobody has taken, outside of dialogs and fields. @param {KeyboardEvent} event */
export function isPlainKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.defaultPrevented) return false;
  return !isElsewhere(event);
}

/** Whether a key is for a dialog or for a field that takes text, which has its own undo. @param {KeyboardEvent} event */
function isElsewhere({ target }) {
  const inField = target instanceof HTMLInputElement && ["text", "url"].includes(target.type);
  return inField || document.querySelector("dialog[open]") !== null;
}

/** @param {KeyboardEvent} event @param {ToolActions} actions */
function handleLiveKey(event, { live, pause }) {
  if (!isPlainKey(event)) return;
  if (event.key.toLowerCase() === "l") live();
  else if (event.key === "Escape") pause();
}

/**
 * One card for each face: the crop, the verdict, five answers, *Why?*, *Wrong?* and *Remove*.
 */

import { cutCrop } from "../picture/crops.js";
import { copyTemplate, part } from "../page/elements.js";
import { faceBox } from "../page/state.js";
import { say, sayPercent } from "../page/messages.js";

/** @typedef {import("../page/state.js").PageState} PageState */
/** @typedef {import("../page/state.js").Face} Face */
/** @typedef {import("../page/api.js").IdentifiedFace} IdentifiedFace */
/** @typedef {import("../page/api.js").RankedAnswer} RankedAnswer */
/**
 * @typedef {object} CardActions
 * @property {(id: number) => void} why
 * @property {(id: number) => void} wrong
 * @property {(id: number) => void} remove
 * @property {() => void} again
 * @property {(id: number | null) => void} point the card under the pointer or with the focus
 */

const CROP_CSS_PX = 96;

/**
 * How it stands with a face, in one word; boxes and cards show the same.
 * @param {PageState} state @param {Face} face
 * @returns {"" | "asking" | "known" | "unknown" | "stale"}
 */
export function markOf(state, face) {
  if (state.asking.has(face.id)) return "asking";
  const answer = state.answer(face)?.face;
  if (!answer) return "";
  return state.isStale(face) ? "stale" : answer.verdict;
}

/**
 * The name that Kyara gives a face, or "" where it gives none.
 * @param {PageState} state @param {Face} face
 */
export function nameOf(state, face) {
  const answer = state.answer(face)?.face;
  return answer?.verdict === "known" && !state.isStale(face) ? answer.answers[0].name : "";
}

export class Cards {
  /** @type {Map<number, HTMLElement>} */
  #cards = new Map();

  /** @param {HTMLElement} list @param {CardActions} actions */
  constructor(list, actions) {
    this.list = list;
    this.actions = actions;
  }

  /** @param {PageState} state */
  render(state) {
    const ids = new Set(state.faces.map((face) => face.id));
    for (const [id, card] of this.#cards) {
      if (ids.has(id)) continue;
      card.remove();
      this.#cards.delete(id);
    }
    state.faces.forEach((face, index) => {
      let card = this.#cards.get(face.id);
      if (!card) {
        card = this.#createCard(face.id);
        this.#cards.set(face.id, card);
      }
      // Moving an element takes the focus from it: leave those alone that stand right.
      if (this.list.children[index] !== card) this.list.insertBefore(card, this.list.children[index] ?? null);
      this.#renderCard(card, state, face, index + 1);
    });
  }

  /** Mark the card of the box that has the focus. @param {number | null} id */
  highlight(id) {
    for (const [each, card] of this.#cards) card.classList.toggle("is-pointed", each === id);
  }

  /** @param {number} id */
  focusRemove(id) {
    const card = this.#cards.get(id);
    if (card) part(card, ".card-remove").focus();
  }

  /** @param {number} id */
  #createCard(id) {
    const card = copyTemplate("card-template");
    const { actions } = this;
    part(card, ".card-why").addEventListener("click", () => actions.why(id));
    part(card, ".card-wrong").addEventListener("click", () => actions.wrong(id));
    part(card, ".card-remove").addEventListener("click", () => actions.remove(id));
    part(card, ".card-again").addEventListener("click", () => actions.again());
    card.addEventListener("pointerenter", () => actions.point(id));
    card.addEventListener("pointerleave", () => actions.point(null));
    card.addEventListener("focusin", () => actions.point(id));
    card.addEventListener("focusout", () => actions.point(null));
    return card;
  }

  /** @param {HTMLElement} card @param {PageState} state @param {Face} face @param {number} number */
  #renderCard(card, state, face, number) {
    const mark = markOf(state, face);
    const answer = state.answer(face);
    card.dataset.mark = mark;
    part(card, ".card-number").textContent = String(number);
    if (state.picture) drawCrop(card, state.picture, face, number);
    const words = describe(state, face);
    part(card, ".card-verdict").textContent = words.verdict;
    part(card, ".card-work").textContent = words.work;
    part(card, ".card-stale").hidden = mark !== "stale";
    part(card, ".card-stale-words").textContent = say("stale");
    renderAnswers(part(card, ".answers"), answer?.face ?? null);
    const reported = state.reported.has(face.id);
    part(card, ".card-reported").hidden = !reported;
    const answered = Boolean(answer?.face) && mark !== "stale";
    const why = part(card, ".card-why");
    why.hidden = !answered;
    why.setAttribute("aria-label", say("why_about", { number }));
    const wrong = part(card, ".card-wrong");
    wrong.hidden = reported || !answered;
    wrong.setAttribute("aria-label", say("wrong_about", { number }));
    part(card, ".card-remove").setAttribute("aria-label", say("remove_face", { number }));
  }
}

/** @param {HTMLElement} list @param {IdentifiedFace | null} identified */
function renderAnswers(list, identified) {
  const key = JSON.stringify(identified);
  if (list.dataset.shown === key) return;
  list.dataset.shown = key;
  list.hidden = !identified;
  list.replaceChildren(...(identified?.answers ?? []).map(createAnswer));
}

/** @param {RankedAnswer} answer */
function createAnswer({ name, work, confidence }) {
  const row = copyTemplate("answer-template");
  part(row, ".answer-name").textContent = name;
  part(row, ".answer-work").textContent = work;
  part(row, ".answer-percent").textContent = sayPercent(confidence);
  part(row, ".progress-bar").style.width = `${Math.max(0.5, confidence * 100)}%`;
  return row;
}

/** @param {PageState} state @param {Face} face @returns {{verdict: string, work: string}} */
function describe(state, face) {
  const answer = state.answer(face);
  if (answer?.face?.verdict === "known") {
    const [best] = answer.face.answers;
    return { verdict: best.name, work: best.work };
  }
  if (answer?.face) return { verdict: say("unknown"), work: say("closest") };
  if (state.asking.has(face.id)) return { verdict: say("asked"), work: "" };
  if (answer?.error && !state.isStale(face)) return { verdict: say("not_answered"), work: answer.error };
  return { verdict: say("not_asked"), work: "" };
}

/**
 * @param {HTMLElement} card @param {import("../picture/picture.js").Picture} picture @param {Face} face
 * @param {number} number
 */
function drawCrop(card, picture, face, number) {
  const canvas = /** @type {HTMLCanvasElement} */ (card.querySelector("canvas"));
  canvas.setAttribute("aria-label", say("crop_of", { number }));
  const key = JSON.stringify([picture.frame, face.box]);
  if (canvas.dataset.shown === key) return;
  canvas.dataset.shown = key;
  const crop = cutCrop(picture.bitmap, faceBox(face), CROP_CSS_PX * 2);
  canvas.width = crop.width;
  canvas.height = crop.height;
  canvas.getContext("2d")?.drawImage(crop, 0, 0);
}

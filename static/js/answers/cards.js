/**
 * One card for each face: the crop, the verdict, answers or guesses, *Why?*, *Wrong?* and *Remove*, and the ways on
 * from an unknown face.
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
 * @property {(id: number) => void} wider draw the box wider, and ask again
 * @property {(id: number, site: string) => void} elsewhere search for the picture at another site
 * @property {(label: string) => void} mine show what this browser was taught
 * @property {(id: number | null) => void} point the card under the pointer or with the focus
 */

/** @typedef {"" | "asking" | "stale" | import("../page/api.js").Verdict} Mark */

const CROP_CSS_PX = 96;

/**
 * How it stands with a face, in one word; boxes and cards show the same.
 * @param {PageState} state @param {Face} face
 * @returns {Mark}
 */
export function markOf(state, face) {
  if (state.asking.has(face.id)) return "asking";
  const answer = state.answer(face)?.face;
  if (!answer) return "";
  return state.isStale(face) ? "stale" : answer.verdict;
}

/**
 * The name that Kyara gives a face, for a fact or as probable, or "" where it gives none.
 * @param {PageState} state @param {Face} face
 */
export function nameOf(state, face) {
  const answer = state.answer(face)?.face;
  if (!answer || answer.verdict === "unknown" || state.isStale(face)) return "";
  return answer.answers[0].name;
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
    part(card, ".card-wider").addEventListener("click", () => actions.wider(id));
    part(card, ".card-mine").addEventListener("click", () => actions.mine(card.dataset.best ?? ""));
    for (const button of card.querySelectorAll("[data-site]")) {
      const { site } = /** @type {HTMLElement} */ (button).dataset;
      button.addEventListener("click", () => actions.elsewhere(id, site ?? ""));
    }
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
    const reported = state.isReported(face);
    part(card, ".card-reported").hidden = !reported;
    const answered = Boolean(answer?.face) && mark !== "stale";
    const why = part(card, ".card-why");
    why.hidden = !answered;
    why.setAttribute("aria-label", say("why_about", { number }));
    const wrong = part(card, ".card-wrong");
    wrong.hidden = reported || !answered;
    wrong.setAttribute("aria-label", say(mark === "unknown" ? "tell_about" : "wrong_about", { number }));
    wrong.classList.toggle("btn-primary", mark === "unknown");
    wrong.classList.toggle("btn-outline-secondary", mark !== "unknown");
    wrong.textContent = (mark === "unknown" ? wrong.dataset.unknown : wrong.dataset.named) ?? "";
    part(card, ".card-ways").hidden = mark !== "unknown";
    part(card, ".card-wider").setAttribute("aria-label", say("wider_about", { number }));
    const best = answer?.face?.verdict === "unknown" ? undefined : answer?.face?.answers[0];
    card.dataset.best = best?.label ?? "";
    part(card, ".card-mine").hidden = !best?.mine;
    part(card, ".card-remove").setAttribute("aria-label", say("remove_face", { number }));
  }
}

/** @param {HTMLElement} list @param {IdentifiedFace | null} identified */
function renderAnswers(list, identified) {
  const key = JSON.stringify(identified);
  if (list.dataset.shown === key) return;
  list.dataset.shown = key;
  list.hidden = !identified;
  const isGuess = identified?.verdict === "unknown";
  list.replaceChildren(...(identified?.answers ?? []).map((answer) => createAnswer(answer, isGuess)));
}

/** @param {RankedAnswer} answer @param {boolean} isGuess whom an unknown face looks like: nothing in it reads as how likely it is */
function createAnswer({ name, work, url, confidence, mine }, isGuess) {
  const row = copyTemplate("answer-template");
  part(row, ".answer-mine").hidden = !mine;
  part(row, ".answer-name").replaceChildren(createName(name, url));
  part(row, ".answer-work").textContent = work;
  part(row, ".answer-percent").textContent = sayPercent(confidence);
  part(row, ".progress-bar").style.width = `${Math.max(0.5, confidence * 100)}%`;
  if (isGuess) for (const each of row.querySelectorAll(".answer-percent, .progress")) each.remove();
  return row;
}

/**
 * A name, as a link to the character's page where there is one.
 * @param {string} name @param {string | null} [url]
 */
function createName(name, url) {
  if (!url) return name;
  const link = copyTemplate("name-template");
  link.textContent = name;
  link.setAttribute("href", url);
  return link;
}

/**
 * What a card says of a face, in words.
 * @param {PageState} state @param {Face} face @returns {{verdict: string, work: string}}
 */
export function describe(state, face) {
  const answer = state.answer(face);
  if (answer?.face?.verdict === "unknown") {
    return { verdict: say("unknown"), work: answer.face.answers.length > 0 ? say("alike") : "" };
  }
  if (answer?.face) {
    const [{ name, work }] = answer.face.answers;
    return { verdict: answer.face.verdict === "known" ? name : say("probably", { name }), work };
  }
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

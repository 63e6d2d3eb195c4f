/**
 * The panel beside the faces: the one that the keys are about, large, and who it may be.
 */

import { byId, copyTemplate, part } from "../page/elements.js";
import { say, sayPercent, sayTime } from "../page/messages.js";
import { pictureUrl } from "./review-inbox.js";
import { showDetail } from "./report-detail.js";

/** @typedef {import("./review-state.js").ReviewState} ReviewState */
/** @typedef {import("./review-state.js").Face} Face */

const PILE = 12;

export class Panel {
  /**
   * @param {ReviewState} state @param {(label: string) => void} take
   * @param {(filter: {label?: string, sender?: string}) => void} narrow show fewer reports
   */
  constructor(state, take, narrow) {
    this.state = state;
    this.take = take;
    this.narrow = narrow;
    this.detail = byId("report-detail", HTMLElement);
    this.picture = byId("panel-picture", HTMLImageElement);
    this.pile = byId("panel-pile", HTMLElement);
    this.title = byId("panel-title", HTMLElement);
    this.source = byId("panel-source", HTMLElement);
    this.answers = byId("panel-answers", HTMLElement);
    this.group = byId("label-group", HTMLButtonElement);
    this.groupWords = byId("label-group-words", HTMLElement);
  }

  draw() {
    const { targets, current, order } = this.state;
    if (!current) return;
    const many = targets.length > 1;
    this.picture.hidden = many;
    this.pile.hidden = !many;
    const shown = /** @type {Face} */ (this.state.faces.get(targets[0]));
    if (many) this.pile.replaceChildren(...targets.slice(0, PILE).map((id) => createThumbnail(/** @type {Face} */ (this.state.faces.get(id)))));
    else this.#showPicture(shown);
    const { report } = shown.confirmed;
    for (const part of document.querySelectorAll(".for-reports")) /** @type {HTMLElement} */ (part).hidden = !report;
    this.detail.hidden = many || !report;
    if (report && !many) showDetail(report, this.narrow);
    const place = { number: order.indexOf(targets[0]) + 1, total: order.length };
    const chosen = { total: targets.length };
    if (many) this.title.textContent = report ? say("reports_chosen", chosen) : say("faces_chosen", chosen);
    else this.title.textContent = report ? say("report_of", place) : say("face_of", place);
    this.source.textContent = many ? say("about_all") : describe(shown, this.state);
    this.answers.replaceChildren(...this.state.candidates().map((each, index) => this.#createAnswer(each, index)));
    const alike = this.state.group.length;
    this.group.hidden = alike < 2;
    this.groupWords.textContent = many ? say("this_alone") : say("all_look_alikes", { total: alike });
  }

  /** @param {Face} face */
  #showPicture(face) {
    const url = pictureUrl(face);
    if (this.picture.getAttribute("src") !== url) this.picture.src = url;
    this.picture.alt = say("face_number", { number: this.state.order.indexOf(face.confirmed.id) + 1 });
  }

  /** @param {import("./review-state.js").Candidate} candidate @param {number} index */
  #createAnswer({ label, confidence }, index) {
    const item = copyTemplate("answer-template");
    const { name, work } = this.state.nameOf(label);
    part(item, "kbd").textContent = String(index + 1);
    part(item, ".answer-name").textContent = name;
    part(item, "button").title = [name, work].filter(Boolean).join(" · ");
    part(item, ".answer-percent").textContent = confidence === null ? say("used_last") : sayPercent(confidence);
    part(item, ".progress-bar").style.width = `${(confidence ?? 0) * 100}%`;
    part(item, "button").addEventListener("click", () => this.take(label));
    return item;
  }
}

/** @param {Face} face */
function createThumbnail(face) {
  const image = new Image();
  image.src = pictureUrl(face);
  image.alt = "";
  image.className = "w-100 h-100 object-fit-cover";
  return image;
}

/** What the model is not sure of; of whom it knows the answers tell. @param {import("./review-calls.js").Report} report */
function sayVerdict({ verdict, answers = [] }) {
  if (verdict === "unknown") return say("model_unknown");
  return verdict === "probably" ? say("model_probably", { name: answers[0]?.name ?? "" }) : "";
}

/** @param {Face} face @param {ReviewState} state */
function describe(face, state) {
  const { source, time_s, report } = face.confirmed;
  const place = report
    ? [say("visitor_says", { name: report.said_name }), sayVerdict(report)]
    : [source, time_s === null || time_s === undefined ? "" : sayTime(time_s)];
  if (face.label !== null) place.unshift(state.nameOf(face.label).name);
  return [...place, face.note].filter(Boolean).join(" · ");
}

/**
 * The panel beside the faces: the one that the keys are about, large, and who it may be.
 */

import { byId, copyTemplate, part } from "../page/elements.js";
import { sayPercent, sayTime } from "../page/messages.js";
import { pictureUrl } from "./label-inbox.js";
import { showDetail } from "./report-detail.js";

/** @typedef {import("./label-state.js").LabelState} LabelState */
/** @typedef {import("./label-state.js").Face} Face */

const PILE = 12;

export class Panel {
  /**
   * @param {LabelState} state @param {(label: string) => void} take
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
    this.title.textContent = many ? `${targets.length} ${report ? "reports" : "faces"} chosen` : `${report ? "Report" : "Face"} ${order.indexOf(targets[0]) + 1} of ${order.length}`;
    this.source.textContent = many ? "A key is about all of them." : describe(shown, this.state);
    this.answers.replaceChildren(...this.state.candidates().map((each, index) => this.#createAnswer(each, index)));
    const alike = this.state.group.length;
    this.group.hidden = alike < 2;
    this.groupWords.textContent = many ? "This face alone" : `All ${alike} look-alikes`;
  }

  /** @param {Face} face */
  #showPicture(face) {
    const url = pictureUrl(face);
    if (this.picture.getAttribute("src") !== url) this.picture.src = url;
    this.picture.alt = `Face ${this.state.order.indexOf(face.confirmed.id) + 1}`;
  }

  /** @param {import("./label-state.js").Candidate} candidate @param {number} index */
  #createAnswer({ label, confidence }, index) {
    const item = copyTemplate("answer-template");
    const { name, work } = this.state.nameOf(label);
    part(item, "kbd").textContent = String(index + 1);
    part(item, ".answer-name").textContent = name;
    part(item, "button").title = [name, work].filter(Boolean).join(" · ");
    part(item, ".answer-percent").textContent = confidence === null ? "used last" : sayPercent(confidence);
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
  return image;
}

/** @param {Face} face @param {LabelState} state */
function describe(face, state) {
  const { source, time_s, report } = face.confirmed;
  const place = report
    ? [`the visitor says ${report.said_name}`, report.verdict === "unknown" ? "unknown to the model; its closest guesses:" : ""]
    : [source, time_s === null || time_s === undefined ? "" : sayTime(time_s)];
  if (face.label !== null) place.unshift(state.nameOf(face.label).name);
  return [...place, face.note].filter(Boolean).join(" · ");
}

/**
 * *Wrong?*: a small form that says who a face really is.
 */

import { CharacterField } from "../page/combobox.js";
import { cutCrop } from "../picture/crops.js";
import { byId, part } from "../page/elements.js";
import { faceBox } from "../page/state.js";
import { say } from "../page/messages.js";
import { createToken } from "./report-queue.js";

/** @typedef {import("../page/api.js").Report} Report */
/** @typedef {import("../page/state.js").Face} Face */
/** @typedef {import("../page/api.js").IdentifiedFace} IdentifiedFace */
/**
 * What the form is about.
 * @typedef {object} Subject
 * @property {ImageBitmap} bitmap
 * @property {Face} face
 * @property {IdentifiedFace} answer
 * @property {string} modelVersion
 * @property {string} verdict in words
 */

export class ReportDialog {
  /** @type {Subject | null} */
  #subject = null;
  /** @type {Report | null} made when the form opens: its token makes a second send harmless */
  #report = null;

  /** @param {(report: Report, face: Face) => void} send */
  constructor(send) {
    this.send = send;
    this.dialog = byId("report-dialog", HTMLDialogElement);
    this.form = byId("report-form", HTMLFormElement);
    this.input = byId("report-label", HTMLInputElement);
    this.note = byId("report-note", HTMLTextAreaElement);
    this.problem = byId("report-problem", HTMLElement);
    this.field = new CharacterField(this.input, byId("report-options", HTMLElement));
    this.form.addEventListener("submit", (event) => this.#submit(event));
    for (const id of ["report-close", "report-cancel"]) {
      byId(id, HTMLButtonElement).addEventListener("click", () => this.dialog.close());
    }
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close(); // the backdrop
    });
    const choose = () => byId("kind-character", HTMLInputElement).click();
    this.input.addEventListener("input", choose);
    this.input.addEventListener("choose", choose);
    this.form.addEventListener("change", () => this.#complain(""));
    this.form.addEventListener("keydown", (event) => this.#typeIntoField(event));
  }

  /** @param {Subject} subject */
  open(subject) {
    const { face, answer, bitmap, modelVersion } = subject;
    const [best] = answer.answers;
    this.#subject = subject;
    this.#report = {
      crop: cutCrop(bitmap, faceBox(face)).toDataURL("image/png"),
      label: "",
      token: createToken(),
      box: face.box,
      model_version: modelVersion,
      ...(best && { predicted: best.label, confidence: best.confidence }),
    };
    this.form.reset();
    this.#complain("");
    // For a known face the first answer is what is wrong; an unknown one may well be the first guess.
    this.field.reset(answer.answers.slice(answer.verdict === "known" ? 1 : 0));
    const crop = cutCrop(bitmap, faceBox(face), 160);
    crop.setAttribute("aria-hidden", "true");
    byId("report-crop", HTMLElement).replaceChildren(crop);
    const words = part(this.dialog, "#report-answer");
    words.textContent = subject.verdict;
    words.classList.toggle("text-decoration-line-through", answer.verdict === "known");
    this.dialog.showModal();
    byId("kind-character", HTMLInputElement).focus();
  }

  /** A letter that is typed on a choice begins the name: the browser puts it into the field. @param {KeyboardEvent} event */
  #typeIntoField(event) {
    const onChoice = event.target instanceof HTMLInputElement && event.target.type === "radio";
    if (!onChoice || event.key.length !== 1 || event.key === " " || event.ctrlKey || event.metaKey || event.altKey) return;
    this.input.focus();
  }

  /** @param {SubmitEvent} event */
  #submit(event) {
    event.preventDefault();
    const report = this.#report;
    const subject = this.#subject;
    if (!report || !subject) return; // the second click of a double click
    const kind = String(new FormData(this.form).get("kind"));
    const label = kind === "character" ? this.field.label : kind;
    if (label === "") {
      this.#complain(say("label_missing"));
      this.input.focus();
      return;
    }
    this.#report = null;
    const note = this.note.value.trim();
    this.dialog.close();
    this.send({ ...report, label, ...(note && { note }) }, subject.face);
  }

  /** @param {string} text */
  #complain(text) {
    this.problem.textContent = text;
    this.input.setAttribute("aria-invalid", String(text !== ""));
  }
}

/**
 * *Wrong?*: a small form that says who a face really is: to people, to this browser, or to both.
 */

import { findNamesakes } from "../page/api.js";
import { CharacterField } from "../page/combobox.js";
import { cutCrop } from "../picture/crops.js";
import { closeFromOutside } from "../page/dialogs.js";
import { byId, part } from "../page/elements.js";
import { faceBox } from "../page/state.js";
import { say, settings } from "../page/messages.js";
import { findNamed } from "../taught/asking.js";
import { KEPT_CROP_PX, isOwnLabel } from "../taught/taught.js";
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

/** @typedef {{kind: string, name: string, chosen: import("../page/api.js").Character | null, unlisted: string, note: string}} Draft */
/** @typedef {import("../taught/lessons.js").Naming} Naming */
/**
 * What is done with the form.
 * @typedef {object} Said
 * @property {Report | null} report to be sent
 * @property {Naming | null} naming whom this browser is to know
 * @property {string} kept data URL of the crop that it keeps
 * @property {() => void} refused the report was not taken: what was written is there again
 */

/** A name is sent without being looked up if that takes longer. */
const NAMESAKES_MS = 1500;

export class ReportDialog {
  /** @type {Subject | null} */
  #subject = null;
  /** @type {Report | null} made when the form opens: its token makes a second send harmless */
  #report = null;
  /** Cut when the form opens: the picture may be gone when it is sent. */
  #kept = "";
  /** What was written and not sent, by the face's id. @type {Map<number, Draft>} */
  #drafts = new Map();
  /** The name that somebody has already, as the reader was told. */
  #toldOf = "";

  /** @param {(said: Said, subject: Subject) => void} send */
  constructor(send) {
    this.send = send;
    this.dialog = byId("report-dialog", HTMLDialogElement);
    this.form = byId("report-form", HTMLFormElement);
    this.input = byId("report-label", HTMLInputElement);
    this.note = byId("report-note", HTMLTextAreaElement);
    this.unlisted = byId("report-unlisted", HTMLInputElement);
    this.others = byId("report-others", HTMLElement);
    this.question = byId("report-leave", HTMLElement);
    this.problem = byId("report-problem", HTMLElement);
    this.stranger = byId("report-stranger", HTMLElement);
    this.keep = byId("report-keep", HTMLInputElement);
    this.hereOnly = byId("report-here", HTMLButtonElement);
    this.field = new CharacterField(this.input, byId("report-options", HTMLElement), { find: findNamed });
    this.form.addEventListener("submit", (event) => void this.#submit(event));
    for (const id of ["report-close", "report-cancel"]) {
      byId(id, HTMLButtonElement).addEventListener("click", () => this.dialog.close());
    }
    closeFromOutside(this.dialog, () => this.#leave());
    this.dialog.addEventListener("close", () => this.#keepDraft());
    byId("report-stay", HTMLButtonElement).addEventListener("click", () => this.#goOn());
    byId("report-discard", HTMLButtonElement).addEventListener("click", () => {
      this.form.reset();
      this.dialog.close();
    });
    const choose = () => byId("kind-character", HTMLInputElement).click();
    this.input.addEventListener("input", choose);
    this.input.addEventListener("choose", choose);
    this.input.addEventListener("find", (event) => this.#tellStranger(/** @type {CustomEvent} */ (event).detail === 0));
    this.input.addEventListener("choose", () => this.#tellStranger(false));
    this.input.addEventListener("input", () => {
      if (this.input.value.trim() === "") this.#tellStranger(false);
    });
    this.form.addEventListener("change", () => {
      this.#complain("");
      this.#showWhatFits();
    });
    this.form.addEventListener("keydown", (event) => this.#typeIntoField(event));
  }

  /** @param {Subject} subject */
  open(subject) {
    const { face, answer, bitmap, modelVersion } = subject;
    const best = answer.answers.find(({ label }) => !isOwnLabel(label));
    this.#toldOf = "";
    this.#subject = subject;
    this.#kept = cutCrop(bitmap, faceBox(face), KEPT_CROP_PX).toDataURL("image/jpeg", 0.95);
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
    this.#tellStranger(false);
    // For a named face the first answer is what is wrong; an unknown one may well be the first guess.
    const isNamed = answer.verdict !== "unknown";
    const others = answer.answers.slice(isNamed ? 1 : 0).map(nameOwn);
    this.field.reset(others);
    this.#offer(others);
    this.#resumeDraft(face.id);
    const crop = cutCrop(bitmap, faceBox(face), 160);
    crop.setAttribute("aria-hidden", "true");
    byId("report-crop", HTMLElement).replaceChildren(crop);
    const words = part(this.dialog, "#report-answer");
    words.textContent = subject.verdict;
    words.classList.toggle("text-decoration-line-through", isNamed);
    this.dialog.showModal();
    byId("kind-character", HTMLInputElement).focus();
  }

  /** A letter that is typed on a choice begins the name: the browser puts it into the field. @param {KeyboardEvent} event */
  #typeIntoField(event) {
    const onChoice = event.target instanceof HTMLInputElement && event.target.type === "radio";
    if (!onChoice || event.key.length !== 1 || event.key === " " || event.ctrlKey || event.metaKey || event.altKey) return;
    const field = event.target.value === "not_listed" ? this.unlisted : this.input;
    field.focus();
  }

  /** Each of the other answers is one click away. @param {readonly import("../page/api.js").Character[]} characters */
  #offer(characters) {
    const buttons = characters.map((character) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "btn btn-sm btn-outline-secondary";
      button.textContent = character.name;
      button.title = character.work;
      button.addEventListener("click", () => {
        byId("kind-character", HTMLInputElement).click();
        this.field.restore(character.name, character);
        this.form.requestSubmit();
      });
      return button;
    });
    this.others.replaceChildren(...buttons);
    byId("report-others-row", HTMLElement).hidden = buttons.length === 0;
  }

  get #isWritten() {
    return [this.input, this.unlisted, this.note].some(({ value }) => value.trim() !== "");
  }

  /** Somebody clicked beside the form: what was written is not thrown away unasked. */
  #leave() {
    if (!this.#isWritten) return this.dialog.close();
    this.question.hidden = false;
    byId("report-stay", HTMLButtonElement).focus();
  }

  #goOn() {
    this.question.hidden = true;
    this.input.focus();
  }

  #keepDraft() {
    const id = this.#subject?.face.id;
    if (id === undefined) return;
    if (this.#isWritten) this.#drafts.set(id, this.#readDraft());
    else this.#drafts.delete(id);
  }

  /** @returns {Draft} */
  #readDraft() {
    const [name, unlisted, note] = [this.input, this.unlisted, this.note].map(({ value }) => value);
    return { kind: this.kind, name, chosen: this.field.chosen, unlisted, note };
  }

  /** @param {number} id of the face */
  #resumeDraft(id) {
    const draft = this.#drafts.get(id);
    this.question.hidden = true;
    if (draft) {
      this.field.restore(draft.name, draft.chosen);
      this.unlisted.value = draft.unlisted;
      this.note.value = draft.note;
      part(this.form, `[value="${draft.kind}"]`).click();
    }
    this.#showWhatFits();
  }

  /** @param {SubmitEvent} event */
  async #submit(event) {
    event.preventDefault();
    const hereOnly = event.submitter === this.hereOnly;
    const report = this.#report;
    const subject = this.#subject;
    if (!report || !subject) return; // the second click of a double click
    const { kind } = this;
    const isCharacter = kind === "character";
    const unlisted = kind === "not_listed" ? this.unlisted.value.trim().normalize("NFC") : "";
    const label = isCharacter ? this.field.label : unlisted || kind;
    if (label === "") {
      this.#complain(say("label_missing"));
      this.input.focus();
      return;
    }
    const note = this.note.value.trim();
    const naming = isCharacter && (hereOnly || this.keep.checked) ? this.#readNaming() : null;
    this.#report = null;
    const stays = isCharacter && (await this.#hasNamesakes(subject));
    if (!this.#isAbout(subject)) return; // it was closed meanwhile: what was written is kept
    if (stays) {
      this.#report = report;
      return;
    }
    const draft = this.#readDraft();
    const refused = () => void this.#drafts.set(subject.face.id, draft);
    this.#drafts.delete(subject.face.id);
    this.#subject = null; // `close` may come after the answer: it must not take a refused one's draft for an empty one
    this.form.reset();
    this.dialog.close();
    const said = hereOnly ? null : { ...report, label, ...(note && { note }) };
    this.send({ report: said, naming, kept: this.#kept, refused }, subject);
  }

  /** What the reader chose: `character`, or one of the labels that are nobody's. */
  get kind() {
    return String(new FormData(this.form).get("kind"));
  }

  /** @returns {Naming} */
  #readNaming() {
    const { character } = this.field;
    const typed = this.input.value.trim();
    if (!character) return { label: "", name: typed, work: "" };
    const { label, name, work } = character;
    return { label: label === name ? "" : label, name, work };
  }

  /** Whether the form is open and about this face still. @param {Subject} subject */
  #isAbout(subject) {
    return this.#subject === subject && this.dialog.open;
  }

  /** Tell once where the name that was typed is somebody's already, in any language, and offer to choose them. @param {Subject} subject */
  async #hasNamesakes(subject) {
    const typed = this.input.value.trim();
    if (this.field.character || this.#toldOf === typed) return false;
    const found = await findNamesakes(typed, settings.language, AbortSignal.timeout(NAMESAKES_MS)).catch(() => []);
    if (found.length === 0 || !this.#isAbout(subject)) return false;
    this.#toldOf = typed;
    this.input.focus();
    this.field.showInstead(found);
    this.#complain(say("name_known", { name: typed }));
    return true;
  }

  /** Only a character can be kept; who is in no list may have a name all the same. */
  #showWhatFits() {
    this.unlisted.hidden = this.kind !== "not_listed";
    byId("report-keep-row", HTMLElement).hidden = this.kind !== "character";
    this.hereOnly.hidden = this.kind !== "character";
  }

  /** Nobody has the name that is typed: it is taken all the same. @param {boolean} isStranger */
  #tellStranger(isStranger) {
    this.stranger.textContent = isStranger ? say("nobody_of_that_name") : "";
  }

  /** @param {string} text */
  #complain(text) {
    this.problem.textContent = text;
    this.input.setAttribute("aria-invalid", String(text !== ""));
  }
}

/** Whom only this browser knows has no label that people know: the name takes its place. @param {import("../page/api.js").RankedAnswer} answer */
function nameOwn(answer) {
  return isOwnLabel(answer.label) ? { ...answer, label: answer.name } : answer;
}

/**
 * What is done with the pictures that were chosen: their paths copied, a list saved, their faces named.
 */

import { saveAs } from "../page/downloads.js";
import { byId } from "../page/elements.js";
import { say } from "../page/messages.js";
import { describeError, postForFile } from "./api.js";
import { NameForm } from "./name-form.js";

/** @typedef {import("./library-search.js").Picture} Picture */
/**
 * @typedef {object} ChosenActs each of the first two returns why it was refused
 * @property {(faces: number[], name: string, label: string, work: string) => Promise<string>} name
 * @property {(faces: number[]) => Promise<string>} reject
 * @property {() => void} clear
 * @property {(words: string) => void} tell
 * @property {(words: string) => void} complain
 */

export class ChosenBar {
  /** @type {Picture[]} */
  #pictures = [];

  /** @param {ChosenActs} acts */
  constructor(acts) {
    this.acts = acts;
    this.bar = byId("chosen", HTMLElement);
    this.dialog = byId("say-dialog", HTMLDialogElement);
    this.namer = byId("chosen-name", HTMLButtonElement);
    this.rejecter = byId("chosen-reject", HTMLButtonElement);
    this.form = new NameForm("say", async (name, label, work) => {
      const refused = await this.acts.name(this.faces, name, label, work);
      if (!refused) this.dialog.close();
      return refused;
    });
    this.namer.addEventListener("click", () => {
      this.form.reset();
      byId("say-title", HTMLElement).textContent = say("library_who_are", { count: this.faces.length });
      this.dialog.showModal();
      this.form.name.focus();
    });
    byId("say-cancel", HTMLButtonElement).addEventListener("click", () => this.dialog.close());
    this.rejecter.addEventListener("click", async () => this.acts.complain(await this.acts.reject(this.faces)));
    byId("chosen-copy", HTMLButtonElement).addEventListener("click", () => void this.copy());
    for (const format of ["csv", "json"]) {
      byId(`chosen-${format}`, HTMLButtonElement).addEventListener("click", () => void this.#save(format));
    }
    byId("chosen-clear", HTMLButtonElement).addEventListener("click", () => this.acts.clear());
  }

  /** The faces that are asked for, of all chosen pictures. */
  get faces() {
    return this.#pictures.flatMap(({ faces }) => faces.filter((face) => face.meant).map(({ id }) => id));
  }

  /** @param {Picture[]} pictures */
  show(pictures) {
    this.#pictures = pictures;
    const faces = this.faces.length;
    this.bar.hidden = pictures.length === 0;
    byId("chosen-count", HTMLElement).textContent = pictures.length > 0 ? say("library_chosen", { count: pictures.length }) : "";
    this.namer.textContent = say("library_name_faces", { count: faces });
    this.namer.disabled = faces === 0;
    this.rejecter.disabled = faces === 0;
  }

  async copy() {
    if (this.#pictures.length === 0) return;
    try {
      await navigator.clipboard.writeText(this.#pictures.map(({ path }) => path).join("\n"));
      this.acts.tell(say("library_copied", { count: this.#pictures.length }));
    } catch {
      this.acts.complain(say("library_copy_failed")); // without https there is no clipboard
    }
  }

  /** @param {string} format */
  async #save(format) {
    try {
      const pictures = this.#pictures.map(({ id }) => id);
      saveAs(await postForFile("/operator/library/list", { pictures, format }), `kyara-library.${format}`);
    } catch (error) {
      this.acts.complain(describeError(error));
    }
  }
}

/**
 * *Taught by you*: whom this browser knows, with pictures; forget, undo, save as a file, take a file in.
 */

import { byId, copyTemplate, part } from "../page/elements.js";
import { say, settings } from "../page/messages.js";
import { taught } from "./taught.js";
import { TransferError, readFile, saveFile } from "./transfer.js";

/** @typedef {import("./taught.js").TaughtCharacter} TaughtCharacter */
/** @typedef {import("./taught.js").TaughtPicture} TaughtPicture */

export class TaughtPanel {
  /** @type {(() => Promise<void>) | null} takes the last deletion back */
  #restore = null;
  #changed = false;
  /** What is being done: it may end after the dialog was closed. @type {Promise<unknown>} */
  #working = Promise.resolve();

  /** @param {() => void} changed told when it was closed and other answers may be given from now on */
  constructor(changed) {
    this.dialog = byId("taught-dialog", HTMLDialogElement);
    this.list = byId("taught-list", HTMLUListElement);
    this.note = byId("taught-note", HTMLElement);
    this.undo = byId("taught-undo", HTMLButtonElement);
    this.file = byId("taught-file", HTMLInputElement);
    byId("taught-close", HTMLButtonElement).addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", async () => {
      await this.#working;
      if (this.#changed) changed();
      this.#changed = false;
    });
    this.undo.addEventListener("click", () => this.#attempt(() => this.#takeBack()));
    this.dialog.addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") this.#attempt(() => this.#takeBack());
    });
    byId("taught-export", HTMLButtonElement).addEventListener("click", saveFile);
    byId("taught-import", HTMLButtonElement).addEventListener("click", () => this.file.click());
    byId("taught-clear", HTMLButtonElement).addEventListener("click", () => this.#attempt(() => this.#forgetAll()));
    this.file.addEventListener("change", () => this.#attempt(() => this.#takeIn()));
    taught.addEventListener("change", () => this.#render());
  }

  /** @param {string} [id] of the character to show first */
  async open(id) {
    await taught.load();
    this.#say("");
    this.#render();
    if (!this.dialog.open) this.dialog.showModal();
    const item = id && this.list.querySelector(`[data-character="${CSS.escape(id)}"]`);
    if (item instanceof HTMLElement) item.scrollIntoView({ block: "start" });
  }

  #render() {
    const { characters, count } = taught;
    byId("taught-empty", HTMLElement).hidden = count > 0;
    byId("taught-count", HTMLElement).textContent =
      count > 0 ? say("taught_count", { count: characters.length, pictures: count }) : "";
    for (const name of ["taught-export", "taught-clear"]) byId(name, HTMLButtonElement).hidden = count === 0;
    const collator = new Intl.Collator(settings.locale);
    const sorted = [...characters].sort((a, b) => collator.compare(a.name, b.name));
    this.list.replaceChildren(...sorted.map((one) => this.#createItem(one)));
  }

  /** @param {TaughtCharacter} character */
  #createItem(character) {
    const { id, name, work, pictures } = character;
    const item = copyTemplate("taught-template");
    item.dataset.character = id;
    part(item, ".taught-name").textContent = name;
    part(item, ".taught-work").textContent = work;
    const waiting = pictures.filter(({ embedding }) => !embedding).length;
    part(item, ".taught-waiting").textContent = waiting > 0 ? say("taught_waiting", { count: waiting }) : "";
    const forget = part(item, ".taught-forget");
    forget.setAttribute("aria-label", say("taught_forget", { name }));
    forget.addEventListener("click", () => this.#attempt(() => this.#forget(character)));
    const shown = pictures.map((picture, place) => this.#createPicture(character, picture, place + 1));
    part(item, ".taught-pictures").replaceChildren(...shown);
    return item;
  }

  /** @param {TaughtCharacter} character @param {TaughtPicture} picture @param {number} number */
  #createPicture(character, picture, number) {
    const { name } = character;
    const item = copyTemplate("taught-picture-template");
    const image = /** @type {HTMLImageElement} */ (part(item, "img"));
    image.src = picture.crop;
    image.alt = say("taught_picture", { number, name });
    const button = part(item, "button");
    button.setAttribute("aria-label", say("taught_forget_picture", { number, name }));
    button.addEventListener("click", () => this.#attempt(() => this.#forget(character, picture)));
    return item;
  }

  /** @param {TaughtCharacter} character @param {TaughtPicture} [picture] */
  async #forget({ id, name }, picture) {
    const restore = await taught.forget(id, picture?.id);
    this.#offer(picture ? say("taught_picture_forgotten", { name }) : say("taught_forgotten", { name }), restore);
  }

  async #forgetAll() {
    const restore = await taught.forgetAll();
    this.#offer(say("taught_all_forgotten"), restore);
  }

  /** @param {string} words @param {() => Promise<void>} restore */
  #offer(words, restore) {
    this.#changed = true;
    this.#say(words);
    this.#restore = restore;
    this.undo.hidden = false;
    this.undo.focus();
  }

  async #takeBack() {
    const restore = this.#restore;
    if (!restore) return;
    await restore();
    this.#changed = true;
    this.#say(say("undone"));
    byId("taught-close", HTMLButtonElement).focus(); // the button that had the focus goes
  }

  async #takeIn() {
    const [file] = this.file.files ?? [];
    if (!file) return;
    try {
      const { added, there, refused } = await readFile(file);
      this.#changed = true;
      this.#say(say("taught_imported", { added, there, refused }));
    } catch (error) {
      if (!(error instanceof TransferError)) throw error;
      this.#say(say("taught_bad_file"), "error");
    } finally {
      this.file.value = ""; // so that the same file can be chosen again
    }
  }

  /** Do something after what is being done, and say where the browser does not keep it. @param {() => Promise<void>} work */
  #attempt(work) {
    this.#working = this.#working.then(work).catch(() => this.#say(say("taught_failed"), "error"));
  }

  /** @param {string} text @param {"info" | "error"} [kind] */
  #say(text, kind = "info") {
    this.#restore = null;
    this.undo.hidden = true;
    byId("taught-words", HTMLElement).textContent = text;
    this.note.hidden = text === "";
    this.note.dataset.kind = kind;
  }
}

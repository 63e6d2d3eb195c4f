/**
 * Packs on the characters page: what a file brings is shown, then it is installed; installed ones are removed.
 */

import { saveAs } from "../page/downloads.js";
import { byId, copyTemplate, part } from "../page/elements.js";
import { say, settings } from "../page/messages.js";
import { ask, askFile, describeError, post } from "./api.js";

/** @typedef {{name: string, author: string, licence: string, faces: number, characters: number, fits: boolean}} InstalledPack */
/** @typedef {{label: string, name: string, others: {label: string, name: string}[]}} Collision */

const PATH = "/operator/characters/packs";
const form = byId("pack-form", HTMLFormElement);
const files = byId("pack-file", HTMLInputElement);
const preview = byId("pack-preview", HTMLElement);
const colliding = byId("pack-colliding", HTMLElement);
const choice = byId("pack-choice", HTMLSelectElement);
const button = byId("pack-install", HTMLButtonElement);
const problem = byId("pack-problem", HTMLElement);
const done = byId("pack-done", HTMLElement);
const dialog = byId("pack-dialog", HTMLDialogElement);
const saving = byId("pack-save", HTMLFormElement);
const saveButton = byId("pack-save-button", HTMLButtonElement);
const saveProblem = byId("pack-save-problem", HTMLElement);
/** What was shown last, and is installed if it is wanted. @type {{file: File, sha256: string, collided: string} | null} */
let shown = null;
/** The pack that the dialog asks about, and its button. @type {{pack: InstalledPack, remover: HTMLButtonElement} | null} */
let leaving = null;

/** @param {string} path @param {File} file @returns {Promise<any>} */
function send(path, file) {
  return ask(path, { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file });
}

async function show() {
  clear();
  const file = files.files?.[0];
  if (!file) return;
  try {
    const pack = await send(`${PATH}/preview`, file);
    if (file !== files.files?.[0]) return; // another one was chosen meanwhile
    shown = { file, sha256: pack.sha256, collided: pack.collided };
    byId("pack-brings", HTMLElement).textContent = say("pack_brings", pack);
    byId("pack-who", HTMLElement).textContent = say("pack_who", pack);
    colliding.hidden = pack.colliding === 0;
    showCollisions(pack.collisions, pack.colliding);
    preview.hidden = false;
  } catch (error) {
    if (file !== files.files?.[0]) return;
    problem.textContent = describeError(error);
  }
}

function clear() {
  shown = null;
  preview.hidden = true;
  choice.value = "";
  problem.textContent = "";
  done.textContent = "";
}

/** @param {Collision[]} collisions @param {number} count of all of them */
function showCollisions(collisions, count) {
  const lines = collisions.map(({ name, label, others }) =>
    say("pack_collides", { name, label, others: others.map((other) => `${other.name} (${other.label})`).join(", ") }),
  );
  if (count > collisions.length) lines.push(say("pack_more", { count: count - collisions.length }));
  byId("pack-collisions", HTMLElement).replaceChildren(
    ...lines.map((line) => Object.assign(document.createElement("li"), { textContent: line })),
  );
}

async function install() {
  if (!shown) return;
  problem.textContent = "";
  const { file, sha256, collided } = shown;
  const collisions = colliding.hidden ? "" : choice.value;
  if (!colliding.hidden && !collisions) {
    problem.textContent = say("pack_choose");
    choice.focus();
    return;
  }
  button.disabled = files.disabled = true;
  let installed = false;
  try {
    const pack = await send(`${PATH}/install?${new URLSearchParams({ sha256, collided, collisions })}`, file);
    installed = true;
    files.value = "";
    clear();
    done.textContent = say("pack_installed", pack);
    list(pack.packs);
  } catch (error) {
    problem.textContent = describeError(error);
  } finally {
    button.disabled = files.disabled = false;
  }
  (installed ? files : button).focus(); // what had the focus went, or was disabled
}

/** @param {InstalledPack} pack @param {HTMLButtonElement} remover */
function askToRemove(pack, remover) {
  leaving = { pack, remover };
  byId("pack-title", HTMLElement).textContent = say("pack_remove_question", { name: pack.name });
  byId("pack-words", HTMLElement).textContent = say("pack_remove_means", { faces: pack.faces, characters: pack.characters });
  dialog.showModal();
}

async function remove() {
  if (!leaving) return;
  const { pack, remover } = leaving;
  problem.textContent = "";
  done.textContent = "";
  remover.disabled = true;
  try {
    const taken = await post(`${PATH}/remove`, { name: pack.name });
    done.textContent = say("pack_removed", { name: pack.name, faces: taken.faces, characters: taken.characters });
    list(taken.packs);
    files.focus(); // the button that had the focus goes
  } catch (error) {
    problem.textContent = describeError(error);
    remover.disabled = false;
    remover.focus();
  }
}

async function save() {
  saveProblem.textContent = "";
  saveButton.disabled = true;
  const name = byId("pack-name", HTMLInputElement).value;
  const author = byId("pack-author", HTMLInputElement).value;
  const licence = byId("pack-licence", HTMLInputElement).value;
  try {
    saveAs(await askFile(`${PATH}/file?${new URLSearchParams({ name, author, licence })}`), `${name}.pack`);
  } catch (error) {
    saveProblem.textContent = describeError(error);
  } finally {
    saveButton.disabled = false;
    saveButton.focus();
  }
}

/** @param {InstalledPack[]} packs */
function list(packs) {
  byId("packs-none", HTMLElement).hidden = packs.length > 0;
  byId("packs-list", HTMLElement).replaceChildren(...packs.map(createItem));
}

/** @param {InstalledPack} pack */
function createItem(pack) {
  const { fits, ...said } = pack;
  const item = copyTemplate("pack-template");
  part(item, ".pack-name").textContent = pack.name;
  part(item, ".pack-words").textContent = say("pack_line", said);
  const asleep = part(item, ".pack-asleep");
  asleep.hidden = fits;
  asleep.textContent = fits ? "" : say("pack_asleep");
  const remover = /** @type {HTMLButtonElement} */ (part(item, "button"));
  remover.setAttribute("aria-label", say("pack_remove", { name: pack.name }));
  remover.addEventListener("click", () => askToRemove(pack, remover));
  return item;
}

files.addEventListener("change", () => void show());
form.addEventListener("submit", (event) => {
  event.preventDefault();
  void install();
});
byId("pack-cancel", HTMLButtonElement).addEventListener("click", () => dialog.close());
byId("pack-remove-form", HTMLFormElement).addEventListener("submit", () => void remove());
saving.addEventListener("submit", (event) => {
  event.preventDefault();
  void save();
});
if (settings.packs?.length) list(settings.packs);

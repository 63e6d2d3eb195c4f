/**
 * Teaching a character from files on the characters page: faces are found and cut out here, shown, and sent.
 */

import { CharacterField } from "../page/combobox.js";
import { byId, copyTemplate, part } from "../page/elements.js";
import { say } from "../page/messages.js";
import { describeError, findNamesAt, post } from "./api.js";
import { cutFaces } from "./face-files.js";

/** @typedef {{id: string, picture: string}} Reference */

const MOST_PICTURES = 20;

const form = byId("teach-form", HTMLFormElement);
const name = byId("teach-name", HTMLInputElement);
const work = byId("teach-work", HTMLInputElement);
const label = byId("teach-label", HTMLInputElement);
const files = byId("teach-pictures", HTMLInputElement);
const problem = byId("teach-problem", HTMLElement);
const done = byId("teach-done", HTMLElement);
const send = byId("teach-send", HTMLButtonElement);
const field = new CharacterField(name, byId("teach-options", HTMLElement), { find: findNamesAt("/operator/characters/search") });
/** Data URLs of the pictures to be sent. @type {string[]} */
let pictures = [];

async function takeFiles() {
  problem.textContent = "";
  done.textContent = say("teach_looking");
  const refused = [];
  for (const file of [...(files.files ?? [])]) {
    try {
      pictures.push(...(await cutFaces(file)).crops);
    } catch {
      refused.push(file.name);
    }
  }
  done.textContent = "";
  files.value = ""; // so that more can be chosen, the same ones too
  if (refused.length > 0) problem.textContent = say("teach_unreadable", { names: refused.join(", ") });
  else if (pictures.length > MOST_PICTURES) problem.textContent = say("teach_first", { count: MOST_PICTURES });
  pictures = pictures.slice(0, MOST_PICTURES);
  showPictures();
}

function showPictures() {
  byId("teach-shown", HTMLElement).replaceChildren(
    ...pictures.map((picture, place) =>
      createPicture(picture, say("teach_leave_out", { number: place + 1 }), () => {
        pictures.splice(place, 1);
        showPictures();
        files.focus(); // the button that had the focus goes
      }),
    ),
  );
}

/** @param {string} url @param {string} words of the button @param {() => void} act */
function createPicture(url, words, act) {
  const item = copyTemplate("picture-template");
  part(item, "img").setAttribute("src", url);
  const button = part(item, "button");
  button.setAttribute("aria-label", words);
  button.addEventListener("click", act);
  return item;
}

async function teach() {
  problem.textContent = "";
  done.textContent = "";
  const { character } = field;
  if (!character && name.value.trim() === "") return complain(say("teach_no_name"), name);
  if (pictures.length === 0) return complain(say("teach_no_pictures"), files);
  send.disabled = true;
  try {
    const lesson = { name: name.value.trim(), work: work.value.trim(), label: character?.label ?? label.value.trim(), crops: pictures };
    const answer = await post("/operator/characters/teach", lesson);
    done.textContent = [say("known_now", { names: answer.name }), ...answer.told].join(" ");
    showReferences(answer.label, answer.references);
    field.restore(answer.name, { label: answer.label, name: answer.name, work: work.value.trim() }); // known by now
    pictures = [];
    showPictures();
  } catch (error) {
    problem.textContent = describeError(error);
  } finally {
    send.disabled = false;
  }
}

/** @param {string} words @param {HTMLElement} where */
function complain(words, where) {
  problem.textContent = words;
  where.focus();
}

/** @param {string} taught label @param {Reference[]} references */
function showReferences(taught, references) {
  byId("teach-references", HTMLElement).replaceChildren(
    ...references.map(({ id, picture }, place) =>
      createPicture(picture, say("teach_forget", { number: place + 1 }), () => void forget(taught, id)),
    ),
  );
}

/** @param {string} taught label @param {string} reference */
async function forget(taught, reference) {
  try {
    const { references } = await post("/operator/characters/forget", { label: taught, reference });
    done.textContent = say("teach_forgotten");
    showReferences(taught, references);
    name.focus(); // the button that had the focus goes
  } catch (error) {
    problem.textContent = describeError(error);
  }
}

files.addEventListener("change", () => void takeFiles());
form.addEventListener("submit", (event) => {
  event.preventDefault();
  void teach();
});

/**
 * Teaching a face on the page: it is kept, embedded, compared with what was kept before, and said.
 */

import { say } from "../page/messages.js";
import { Toast } from "../page/toasts.js";
import { MOST_PICTURES, MOST_PICTURES_EACH } from "./lessons.js";
import { taught } from "./taught.js";

/** @typedef {import("./lessons.js").Naming} Naming */
/** @typedef {"done" | "unlike" | "later" | "cannot"} Look what came of looking at the picture */

/**
 * @param {string} crop data URL @param {Naming} naming
 * @param {() => void} changed told when other answers may be given from now on
 * @param {boolean} [quiet] a report is sent as well: that says what was done, and offers to undo it
 * @returns {Promise<() => Promise<void>>} takes it back
 */
export async function teachFace(crop, naming, changed, quiet = false) {
  const nothing = async () => {};
  let taken;
  try {
    taken = await taught.teach(naming, crop);
  } catch {
    complain(say("taught_failed"));
    return nothing;
  }
  const { outcome, character, picture } = taken;
  const name = character?.name ?? naming.name;
  if (outcome === "twice" && !quiet) new Toast().sayAndGo(say("taught_twice", { name }));
  if (outcome === "full") complain(say("taught_full", { limit: MOST_PICTURES_EACH }));
  if (outcome === "no_room") complain(say("taught_no_room", { limit: MOST_PICTURES }));
  if (!character || !picture || (outcome !== "new" && outcome !== "more")) return nothing;
  const undo = async () => {
    await taught.forget(character.id, picture.id);
    changed();
  };
  const look = await embedNew(character.id, picture);
  if (look === "cannot") {
    await taught.forget(character.id, picture.id);
    complain(say("taught_cannot"));
    return nothing;
  }
  if (look === "later") addEventListener("online", changed, { once: true });
  else changed();
  if (look === "unlike") offerUndo(say("taught_unlike", { name }), undo);
  else if (!quiet && look === "later") offerUndo(say("taught_later"), undo);
  else if (!quiet) offerUndo(say(outcome === "new" ? "taught_now" : "taught_more", { name }), undo);
  return undo;
}

/** @param {string} id of the character @param {import("./store.js").TaughtPicture} picture @returns {Promise<Look>} */
async function embedNew(id, picture) {
  try {
    const { model, faces } = await taught.embed([picture]);
    if (!model.ranking || faces[0].error) return "cannot";
    const { alike_from: least } = model.ranking;
    const likeness = taught.likeOthers(id, picture.id);
    return likeness !== null && least !== null && likeness < least ? "unlike" : "done";
  } catch {
    return "later";
  }
}

/** @param {string} words */
function complain(words) {
  new Toast().say(words, "error");
}

/** @param {string} words @param {() => Promise<void>} undo */
function offerUndo(words, undo) {
  const toast = new Toast();
  toast.say(words);
  toast.offerUndo(() => {
    void undo();
    toast.sayAndGo(say("undone"));
  });
}

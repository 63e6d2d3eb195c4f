/**
 * Faces of the library that another model, or one that was taught other things, has answered: answered again.
 */

import { say } from "../page/messages.js";
import { post } from "./api.js";

/**
 * Have them answered, a little at a time, until none is left.
 * @param {number} outdated how many there are @param {(words: string) => void} tell how many are left; empty at the end
 */
export async function answerFaces(outdated, tell) {
  let total = outdated;
  while (total > 0) {
    tell(say("group_answering", { total }));
    total = (await post("/operator/groups/answer", {})).outdated;
  }
  tell("");
}

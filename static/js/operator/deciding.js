/**
 * What the pages share on which an operator decides: what is wrong, whose a key is, and faces that are answered again.
 */

import { say } from "../page/messages.js";
import { describeError, post } from "./api.js";

let answering = false;

/** What says in a place of the page what is wrong; empty: nothing is. @param {HTMLElement} place @returns {(words: string) => void} */
export function complainIn(place) {
  return (words) => {
    place.textContent = words;
    place.hidden = words === "";
  };
}

/** Whether a key is the page's own: nobody has taken it, and nobody types. @param {KeyboardEvent} event */
export function isOfPage({ target, defaultPrevented, isComposing, altKey }) {
  const typing = target instanceof HTMLElement && target.closest("input, textarea, select, dialog");
  return !defaultPrevented && !isComposing && !altKey && !typing;
}

/**
 * Have faces of the library that another model, or one that was taught other things, has answered be answered again,
 * a little at a time, until none is left.
 * @param {number} outdated how many there are @param {HTMLElement} left says how many are left
 * @param {() => Promise<void>} show what came of it @param {(words: string) => void} complain
 */
export async function answerAgain(outdated, left, show, complain) {
  if (answering || outdated === 0) return;
  answering = true;
  try {
    for (let total = outdated; total > 0; ) {
      left.textContent = say("group_answering", { total });
      total = (await post("/operator/groups/answer", {})).outdated;
    }
    left.textContent = "";
    await show();
  } catch (error) {
    complain(describeError(error));
  } finally {
    answering = false;
  }
}

/**
 * The keyboard of the review page; the letters depend on whether a report or a collected face is looked at. Everything works without a mouse.
 */

/**
 * @typedef {object} Commands
 * @property {() => boolean} isReport whether the keys are about a report
 * @property {(all: boolean) => void} takeFirst the first suggestion; of a report, what the visitor said
 * @property {() => void} acceptKnown what the visitor said, and have it known from now on
 * @property {() => void} reject a report
 * @property {() => void} remove the label of a face; a report for good
 * @property {(number: number, all: boolean) => void} takeNumber the n-th suggestion, 0 for the first
 * @property {(all: boolean) => void} nobody not a face
 * @property {() => void} askNew
 * @property {() => void} undo
 * @property {() => void} chooseGroup
 * @property {() => void} chooseAll
 * @property {() => void} chooseNone
 * @property {() => void} toggle
 * @property {() => void} takeAway the label
 * @property {(move: "next" | "previous" | "up" | "down" | "first" | "last", extend: boolean) => void} go
 * @property {() => void} type begin to type a name
 * @property {() => void} help
 */

/** @type {Record<string, "next" | "previous" | "up" | "down" | "first" | "last">} */
const MOVES = {
  ArrowRight: "next",
  ArrowLeft: "previous",
  ArrowUp: "up",
  ArrowDown: "down",
  Home: "first",
  End: "last",
};

/** @param {Commands} commands */
export function listenToKeys(commands) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || !isFree(event)) return;
    if (obey(event, commands)) event.preventDefault();
  });
}

/** Whether the key belongs to nothing else: a field, a dialog, a button that is pressed with it. @param {KeyboardEvent} event */
function isFree(event) {
  const { target } = event;
  if (document.querySelector("dialog[open]")) return false;
  if (!(target instanceof HTMLElement)) return true;
  if (target.closest("input:not([type=checkbox]), textarea, select")) return false;
  const presses = event.key === "Enter" || event.key === " ";
  return !(presses && target.closest("button, a, summary, input"));
}

/** @param {KeyboardEvent} event @param {Commands} commands @returns {boolean} whether the key did something */
function obey(event, commands) {
  const { key, shiftKey } = event;
  if (event.altKey) return false;
  if (event.ctrlKey || event.metaKey) return obeyControl(key.toLowerCase(), commands);
  const digit = readDigit(event);
  if (digit === 0) commands.chooseGroup();
  else if (digit !== null) commands.takeNumber(digit - 1, shiftKey);
  else if (key in MOVES) commands.go(MOVES[key], shiftKey);
  else if (key === "Enter") commands.takeFirst(shiftKey);
  else if (key === " ") commands.toggle();
  else if (key === "Delete") commands.remove();
  else if (key === "Backspace" && !commands.isReport()) commands.takeAway();
  else if (key === "Escape") commands.chooseNone();
  else if (key === "?") commands.help();
  else return obeyLetter(key, commands, shiftKey);
  return true;
}

/** @param {string} key @param {Commands} commands */
function obeyControl(key, commands) {
  if (key === "z") commands.undo();
  else if (key === "a") commands.chooseAll();
  else return false;
  return true;
}

/** @param {string} key @param {Commands} commands @param {boolean} shiftKey */
function obeyLetter(key, commands, shiftKey) {
  const letter = key.toLowerCase();
  if (letter === "x") commands.nobody(shiftKey);
  else if (letter === "n") commands.askNew();
  else if (letter === "z") commands.undo();
  else if (key === "/") commands.type();
  else if (commands.isReport()) return obeyReportLetter(letter, commands, shiftKey);
  else {
    if (key === "Process" || key === "Unidentified" || (key.length === 1 && /[\p{L}\p{N}]/u.test(key))) {
      commands.type(); // and the browser writes the letter into the field
    }
    return false;
  }
  return true;
}

/** @param {string} letter @param {Commands} commands @param {boolean} shiftKey */
function obeyReportLetter(letter, commands, shiftKey) {
  if (letter === "a") commands.takeFirst(false);
  else if (letter === "g") commands.acceptKnown();
  else if (letter === "c") commands.type();
  else if (letter === "r") commands.reject();
  else if (letter === "o") commands.takeAway();
  else if (letter === "s") commands.toggle();
  else if (letter === "j") commands.go("next", shiftKey);
  else if (letter === "k") commands.go("previous", shiftKey);
  else return false;
  return true;
}

/** 0 to 5, on either block of digits and whatever Shift makes of them; else null. @param {KeyboardEvent} event */
function readDigit({ key, code, shiftKey }) {
  const found = /^[0-5]$/.test(key) ? key : shiftKey && /^(?:Digit|Numpad)[1-5]$/.test(code) ? code.slice(-1) : "";
  return found ? Number(found) : null;
}

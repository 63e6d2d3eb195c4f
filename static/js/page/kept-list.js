/**
 * Texts and lists that outlast the page, in this browser. Where its storage is blocked they are empty, and where it
 * is full nothing is added to them.
 */

/** @typedef {"localStorage" | "sessionStorage"} Place */

/** @param {string} key @param {Place} [place] */
export function readText(key, place = "localStorage") {
  try {
    return window[place].getItem(key) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} key @param {string} text @param {Place} [place] */
export function writeText(key, text, place = "localStorage") {
  try {
    if (text) window[place].setItem(key, text);
    else window[place].removeItem(key);
  } catch {
    // Storage is full or blocked: what was not written lasts as long as the page does.
  }
}

/** @param {string} key @returns {any[]} */
export function readList(key) {
  try {
    const kept = JSON.parse(readText(key) || "[]");
    return Array.isArray(kept) ? kept : [];
  } catch {
    return [];
  }
}

/** Put something at the end of a list, once. @param {string} key @param {string} name of what tells it from others @param {any} one */
export function addToList(key, name, one) {
  writeText(key, JSON.stringify([...listOthers(key, name, one), one]));
}

/** @param {string} key @param {string} name of what tells it from others @param {any} one */
export function takeFromList(key, name, one) {
  const others = listOthers(key, name, one);
  writeText(key, others.length > 0 ? JSON.stringify(others) : "");
}

/** @param {string} key @param {string} name @param {any} one */
function listOthers(key, name, one) {
  return readList(key).filter((each) => each[name] !== one[name]);
}

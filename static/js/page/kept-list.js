/**
 * Lists that outlast the page, in this browser. Where its storage is blocked they are empty, and where it is
 * full nothing is added to them.
 */

/** @param {string} key @returns {any[]} */
export function readList(key) {
  try {
    const kept = JSON.parse(localStorage.getItem(key) ?? "[]");
    return Array.isArray(kept) ? kept : [];
  } catch {
    return [];
  }
}

/** @param {string} key @param {unknown[]} list */
export function writeList(key, list) {
  try {
    if (list.length > 0) localStorage.setItem(key, JSON.stringify(list));
    else localStorage.removeItem(key);
  } catch {
    // Storage is full or blocked: what was not written lasts as long as the page does.
  }
}

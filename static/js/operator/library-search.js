/**
 * What is looked for in the library ↔ the address of the page.
 */

/**
 * @typedef {object} Wanted
 * @property {string[]} who labels, or names as they were typed
 * @property {string} work
 * @property {number} least confidence, 0 to 1
 * @property {string} like a face that was dropped, as the server writes it
 * @property {number | null} face of the library, by its number
 * @property {number} page from 1
 */

/** @typedef {{id: number, box: [number, number, number, number], meant: boolean, label: string | null, name: string, work: string, confidence: number, status: "known" | "probably" | "unknown"}} Face `meant`: it is asked for */
/** @typedef {{id: number, path: string, file: string, width: number, height: number, measure: number | null, faces: Face[]}} Picture */
/** @typedef {import("../page/api.js").Character} Character */
/** @typedef {{step: number, undo: string | null, redo: string | null}} Head */
/** @typedef {{pictures: Picture[], total: number, page: number, pages: number, first: number, characters: Character[], head: Head}} Found */

/** @type {Wanted} */
export const NOTHING = Object.freeze({ who: [], work: "", least: 0, like: "", face: null, page: 1 });

/** @param {string} query of an address @returns {Wanted} */
export function readWanted(query) {
  const parameters = new URLSearchParams(query);
  const least = Number(parameters.get("least"));
  const face = Number(parameters.get("face"));
  const page = Number(parameters.get("page"));
  return {
    who: parameters.getAll("who").filter((text) => text.trim() !== ""),
    work: parameters.get("work") ?? "",
    least: least > 0 && least <= 1 ? least : 0,
    like: parameters.get("like") ?? "",
    face: Number.isInteger(face) && face > 0 ? face : null,
    page: Number.isInteger(page) && page > 0 ? page : 1,
  };
}

/** @param {Wanted} wanted @returns {string} a query, with its question mark unless it is empty */
export function writeWanted({ who, work, least, like, face, page }) {
  const parameters = new URLSearchParams(who.map((text) => ["who", text]));
  if (work) parameters.set("work", work);
  if (least) parameters.set("least", String(least));
  if (like) parameters.set("like", like);
  if (face !== null) parameters.set("face", String(face));
  if (page > 1) parameters.set("page", String(page));
  const text = parameters.toString();
  return text && `?${text}`;
}

/** Whether a face is looked for, not a name. @param {Wanted} wanted */
export function isByFace({ like, face }) {
  return like !== "" || face !== null;
}

/** Whether anything is asked. @param {Wanted} wanted */
export function isAsked(wanted) {
  return isByFace(wanted) || wanted.who.length > 0 || wanted.work !== "" || wanted.least > 0;
}

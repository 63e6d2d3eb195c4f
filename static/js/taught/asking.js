/**
 * Asks the server about crops; where this browser was taught somebody, they are ranked with the answers.
 */

import { findCharacters, identify, identifyEmbedded, isAbort } from "../page/api.js";
import { say } from "../page/messages.js";
import { Toast } from "../page/toasts.js";
import { rankTogether } from "./ranking.js";
import { taught } from "./taught.js";

/** @typedef {import("../page/api.js").Identification} Identification */
/** @typedef {import("../page/api.js").Character} Character */

/**
 * @param {string[]} crops data URLs, 1 to 32 @param {string} language @param {AbortSignal} [signal]
 * @returns {Promise<Pick<Identification, "model" | "faces">>}
 */
export async function identifyHere(crops, language, signal) {
  await taught.load();
  if (taught.count === 0) return identify(crops, language, signal);
  const { model, faces } = await identifyEmbedded(crops, language, signal);
  const { network, ranking } = model;
  if (!ranking) return { model, faces };
  await refresh(network, signal);
  const named = taught.list(network);
  return { model, faces: faces.map((face) => (face.error ? face : rankTogether(face, named, ranking))) };
}

/** Pictures that this network has not seen are looked at again; if that fails they are left out this time. @param {string} network @param {AbortSignal} [signal] */
async function refresh(network, signal) {
  const stale = taught.stale(network);
  if (stale.length === 0) return;
  try {
    await taught.refresh(network, signal);
    const again = stale.filter((picture) => picture.network !== "").length;
    if (again > 0) new Toast().sayAndGo(say("taught_again", { count: again }));
  } catch (error) {
    if (isAbort(error)) throw error;
  }
}

/**
 * Complete a name: whom this browser was taught, then whom the server knows if it can be reached.
 * @param {string} query @param {string} language @param {AbortSignal} [signal] @returns {Promise<Character[]>}
 */
export async function findNamed(query, language, signal) {
  const mine = taught.search(query);
  try {
    return [...mine, ...(await findCharacters(query, language, signal))];
  } catch (error) {
    if (mine.length === 0 || isAbort(error)) throw error;
    return mine;
  }
}

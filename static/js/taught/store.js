/**
 * What this browser was taught, in its own database: one record a character, with its pictures.
 * Each function rejects where the browser keeps nothing for us, or nothing more.
 */

import { transact } from "../page/database.js";

/** @typedef {{id: string, crop: string, network: string, embedding: Float32Array | null, at: number}} TaughtPicture `network`: that made the embedding; both empty until one has */
/** @typedef {{id: string, label: string, name: string, work: string, pictures: readonly TaughtPicture[]}} TaughtCharacter `label`: of the server's character, empty where it knows none */

const DATABASE = "kyara-taught";
const STORES = { characters: { keyPath: "id" } };

/** @returns {Promise<TaughtCharacter[]>} */
export async function readCharacters() {
  return (await transact(DATABASE, STORES, "readonly", (store) => store.getAll())) ?? [];
}

/**
 * Write characters, and delete those whose id is given, all or nothing.
 * @param {readonly TaughtCharacter[]} written @param {readonly string[]} [deleted]
 */
export async function writeCharacters(written, deleted = []) {
  await transact(DATABASE, STORES, "readwrite", (store) => {
    for (const id of deleted) store.delete(id);
    for (const character of written) store.put(character);
    return null;
  });
}

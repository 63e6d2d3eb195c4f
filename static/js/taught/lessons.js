/**
 * Pictures that are to be taught → whose they are, among those that are kept, and which there is room for.
 */

import { createToken } from "../report/report-queue.js";

/** @typedef {import("./store.js").TaughtCharacter} TaughtCharacter */
/** @typedef {import("./store.js").TaughtPicture} TaughtPicture */
/** @typedef {{label: string, name: string, work: string}} Naming `label`: empty where the server knows nobody of the name */
/** @typedef {{naming: Naming, crop: string} & Partial<Pick<TaughtPicture, "network" | "embedding">>} Lesson `crop`: data URL */
/** @typedef {"new" | "more" | "twice" | "full" | "no_room"} Outcome */
/** @typedef {{outcome: Outcome, character: TaughtCharacter | undefined, picture: TaughtPicture | undefined}} Taken */

/** As in a lesson of the server. */
export const MOST_PICTURES_EACH = 20;
export const MOST_PICTURES = 500;

/** A name without case, width and order of its words. @param {string} name */
export function foldName(name) {
  const words = name.normalize("NFKC").toLowerCase().split(/[^\p{L}\p{N}]+/u);
  return words.filter(Boolean).sort().join(" ");
}

/** Takes lessons in, one after the other; what is kept stays as it is. */
export class Lessons {
  /** @type {Map<string, TaughtCharacter>} all, by id */
  #characters;
  /** @type {Map<string, string[]>} ids by label, and by folded name */
  #ids = new Map();
  #count = 0;
  /** @type {Set<string>} */
  #changed = new Set();

  /** @param {readonly TaughtCharacter[]} characters */
  constructor(characters) {
    this.#characters = new Map(characters.map((one) => [one.id, one]));
    for (const one of characters) {
      this.#count += one.pictures.length;
      this.#note(one);
    }
  }

  /** The characters that have pictures more than before. */
  get changed() {
    return [...this.#characters.values()].filter(({ id }) => this.#changed.has(id));
  }

  /** @param {Lesson} lesson @returns {Taken} `picture`: the one that is kept */
  take({ naming, crop, network = "", embedding = null }) {
    const before = this.#find(naming);
    const kept = before?.pictures.find((one) => one.crop === crop);
    if (kept) return { outcome: "twice", character: before, picture: kept };
    if ((before?.pictures.length ?? 0) >= MOST_PICTURES_EACH) return { outcome: "full", character: before, picture: undefined };
    if (this.#count >= MOST_PICTURES) return { outcome: "no_room", character: before, picture: undefined };
    const picture = { id: createToken(), crop, at: Date.now(), network, embedding };
    const character = {
      id: before?.id ?? createToken(),
      label: naming.label || before?.label || "",
      name: before?.name ?? naming.name.trim().normalize("NFC"),
      work: before?.work || naming.work,
      pictures: [...(before?.pictures ?? []), picture],
    };
    this.#characters.set(character.id, character);
    if (character.label !== before?.label) this.#note(character);
    this.#changed.add(character.id);
    this.#count += 1;
    return { outcome: before ? "more" : "new", character, picture };
  }

  /** Who has a name or a label already. @param {Naming} naming */
  #find({ label, name, work }) {
    const folded = foldName(name);
    const agree = (/** @type {string} */ a, /** @type {string} */ b) => !a || !b || foldName(a) === foldName(b);
    const ids = keysOf(label, name).flatMap((key) => this.#ids.get(key) ?? []);
    const candidates = ids.flatMap((id) => this.#characters.get(id) ?? []);
    return candidates.find((one) =>
      label && one.label ? one.label === label : foldName(one.name) === folded && agree(one.work, work),
    );
  }

  /** Let a character be found. @param {TaughtCharacter} character */
  #note({ id, label, name }) {
    for (const key of keysOf(label, name)) {
      const ids = this.#ids.get(key) ?? [];
      if (!ids.includes(id)) this.#ids.set(key, [...ids, id]);
    }
  }
}

/** What a character is found by; no folded name holds a colon. @param {string} label @param {string} name */
function keysOf(label, name) {
  return label ? [`label:${label}`, foldName(name)] : [foldName(name)];
}

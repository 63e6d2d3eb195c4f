/**
 * Whom this browser was taught: kept over visits, the same in all tabs, bounded, every change undoable.
 *
 * A picture is kept first and embedded then, so that nothing is lost where the server cannot be asked; the
 * kept crop is embedded again when another network serves.
 */

import { ServerError, identifyEmbedded } from "../page/api.js";
import { settings } from "../page/messages.js";
import { Lessons, foldName } from "./lessons.js";
import { compare, decodeEmbedding } from "./ranking.js";
import { readCharacters, writeCharacters } from "./store.js";

/** @typedef {import("./store.js").TaughtCharacter} TaughtCharacter */
/** @typedef {import("./store.js").TaughtPicture} TaughtPicture */
/** @typedef {import("../page/api.js").EmbeddedIdentification} EmbeddedIdentification */
/** @typedef {import("./lessons.js").Lesson} Lesson */
/** @typedef {import("./lessons.js").Naming} Naming */
/** @typedef {import("./lessons.js").Taken} Taken */

/** Longest side of a kept crop, as on the server; JPEG keeps 500 of them under some 15 MB. */
export const KEPT_CROP_PX = 256;
const CROPS_AT_ONCE = 16;
const OWN_PREFIX = "mine:";

/** The label in answers of a character that the server does not know. @param {TaughtCharacter} character */
const labelOf = ({ label, id }) => label || OWN_PREFIX + id;

/** Whether only this browser knows the label. @param {string} label */
export const isOwnLabel = (label) => label.startsWith(OWN_PREFIX);

/** Emits `change` whenever it holds something else. */
export class Taught extends EventTarget {
  /** @type {readonly TaughtCharacter[]} */
  characters = [];
  /** @type {Promise<void> | null} */
  #loading = null;
  #tabs = new BroadcastChannel("kyara-taught");

  constructor() {
    super();
    this.#tabs.addEventListener("message", () => {
      this.#loading = null;
      void this.load();
    });
  }

  /** Read what is kept, once; where the browser keeps nothing for us there is nothing. */
  load() {
    this.#loading ??= readCharacters().then(
      (characters) => this.#take(characters),
      () => this.#take([]),
    );
    return this.#loading;
  }

  get count() {
    return this.characters.reduce((sum, { pictures }) => sum + pictures.length, 0);
  }

  /** Those that can be compared with faces of a network. @param {string} network */
  list(network) {
    return this.characters.map((character) => ({
      label: labelOf(character),
      name: character.name,
      work: character.work,
      references: character.pictures.flatMap((one) => (one.network === network && one.embedding ? [one.embedding] : [])),
    }));
  }

  /** Pictures that another network has embedded, or none yet. @param {string} network */
  stale(network) {
    return this.characters.flatMap(({ pictures }) => pictures.filter((one) => one.network !== network));
  }

  /** The id of the character with a label of answers. @param {string} label */
  idOf(label) {
    return this.characters.find((one) => labelOf(one) === label)?.id;
  }

  /** Those whose name holds what is typed. @param {string} query */
  search(query) {
    const wanted = foldName(query);
    return this.characters
      .filter(({ name, label }) => !label && wanted !== "" && foldName(name).includes(wanted))
      .map(({ name, work }) => ({ label: name, name, work, mine: true }));
  }

  /**
   * Keep a picture of a character.
   * @param {Naming} naming @param {string} crop data URL @param {Pick<TaughtPicture, "network" | "embedding">} [made]
   * @returns {Promise<Taken>} @throws {Error} where the browser does not keep it
   */
  async teach(naming, crop, made) {
    const [taken] = await this.teachAll([{ naming, crop, ...made }]);
    return taken;
  }

  /**
   * Keep pictures, all in one step.
   * @param {readonly Lesson[]} lessons @returns {Promise<Taken[]>} of each @throws {Error} where the browser does not keep them
   */
  async teachAll(lessons) {
    await this.load();
    const all = new Lessons(this.characters);
    const taken = lessons.map((lesson) => all.take(lesson));
    if (all.changed.length > 0) await this.#write(all.changed);
    return taken;
  }

  /**
   * Forget a character, or one picture of it; the last picture takes its character with it.
   * @param {string} id @param {string} [picture]
   * @returns {Promise<() => Promise<void>>} takes it back @throws {Error} where the browser does not keep it
   */
  async forget(id, picture) {
    const before = this.characters.find((one) => one.id === id);
    if (!before) return async () => {};
    const pictures = picture === undefined ? [] : before.pictures.filter((one) => one.id !== picture);
    if (pictures.length > 0) await this.#write([{ ...before, pictures }]);
    else await this.#write([], [id]);
    return () => this.#putBack([before]);
  }

  /** @returns {Promise<() => Promise<void>>} takes it back @throws {Error} where the browser does not keep it */
  async forgetAll() {
    const before = this.characters;
    await this.#write([], before.map(({ id }) => id));
    return () => this.#putBack(before);
  }

  /**
   * Have pictures embedded that this network has not seen.
   * @param {string} network @param {AbortSignal} [signal] @returns {Promise<void>}
   */
  async refresh(network, signal) {
    let stale = this.stale(network);
    while (stale.length > 0) {
      const some = stale.slice(0, CROPS_AT_ONCE);
      try {
        await this.embed(some, signal);
        stale = stale.slice(CROPS_AT_ONCE);
      } catch (error) {
        const refused = error instanceof ServerError && error.crop !== null ? some[error.crop] : undefined;
        if (!refused) throw error;
        await this.#keepEmbeddings(new Map([[refused.id, null]]), network); // it is not sent again
        stale = stale.filter((one) => one !== refused);
      }
    }
  }

  /**
   * Have the server embed pictures, and keep that; one that it cannot read has no embedding and is not sent again.
   * @param {readonly TaughtPicture[]} pictures at most 32 @param {AbortSignal} [signal]
   * @returns {Promise<EmbeddedIdentification>} what it answers to them
   */
  async embed(pictures, signal) {
    const found = await identifyEmbedded(pictures.map(({ crop }) => crop), settings.language, signal);
    const read = (/** @type {number} */ place) => {
      const { embedding, error } = found.faces[place];
      return error ? null : decodeEmbedding(embedding);
    };
    await this.#keepEmbeddings(new Map(pictures.map(({ id }, place) => [id, read(place)])), found.model.network);
    return found;
  }

  /** @param {Map<string, Float32Array | null>} made by the pictures' ids @param {string} network */
  async #keepEmbeddings(made, network) {
    const change = (/** @type {TaughtPicture} */ picture) => {
      const embedding = made.get(picture.id);
      return embedding === undefined ? picture : { ...picture, network, embedding };
    };
    const changed = this.characters.filter(({ pictures }) => pictures.some(({ id }) => made.has(id)));
    await this.#write(changed.map((one) => ({ ...one, pictures: one.pictures.map(change) })));
  }

  /**
   * The highest cosine of a picture to the others of its character; null where it is the only one.
   * @param {string} id of the character @param {string} picture
   */
  likeOthers(id, picture) {
    const pictures = this.characters.find((one) => one.id === id)?.pictures ?? [];
    const own = pictures.find((one) => one.id === picture);
    const others = pictures.flatMap((one) => (one !== own && one.embedding && one.network === own?.network ? [one.embedding] : []));
    return own?.embedding && others.length > 0 ? compare(own.embedding, others).nearest : null;
  }

  /** @param {readonly TaughtCharacter[]} before what was forgotten; what was taught since stays */
  async #putBack(before) {
    const merged = before.map((old) => {
      const now = this.characters.find(({ id }) => id === old.id);
      const known = new Set(old.pictures.map(({ id }) => id));
      return { ...old, pictures: [...old.pictures, ...(now?.pictures ?? []).filter(({ id }) => !known.has(id))] };
    });
    await this.#write(merged);
  }

  /** @param {readonly TaughtCharacter[]} written @param {readonly string[]} [deleted] */
  async #write(written, deleted = []) {
    await writeCharacters(written, deleted);
    const all = new Map(this.characters.map((one) => [one.id, one]));
    for (const id of deleted) all.delete(id);
    for (const one of written) all.set(one.id, one);
    this.#take([...all.values()]);
    this.#tabs.postMessage("changed");
  }

  /** @param {readonly TaughtCharacter[]} characters */
  #take(characters) {
    this.characters = characters;
    this.dispatchEvent(new Event("change"));
  }
}

/** What this page knows of it. */
export const taught = new Taught();

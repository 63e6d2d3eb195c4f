/**
 * What this browser was taught as a file, and back. A file is strange data: it is read within bounds, and
 * only what is a picture is taken.
 */

import { saveAs } from "../page/downloads.js";
import { MOST_PICTURES } from "./lessons.js";
import { decodeEmbedding, encodeEmbedding } from "./ranking.js";
import { taught } from "./taught.js";

/** @typedef {{added: number, there: number, refused: number}} Intake */

const FORMAT = "kyara-taught";
const FILE_NAME = "kyara-taught.json";
const MAX_FILE_BYTES = 64 * 1024 * 1024;
const MAX_CROP_CHARACTERS = 400_000;
const MAX_TEXT_CHARACTERS = 200;
const MAX_SIDE_PX = 1024;
const CROP = /^data:image\/(?:png|jpeg|webp);base64,[A-Za-z0-9+/]+={0,2}$/;

/** The file is none that this page has written. */
export class TransferError extends Error {
  constructor() {
    super("no file of taught characters");
    this.name = "TransferError";
  }
}

/** @returns {string} */
function writeFile() {
  const characters = taught.characters.map(({ label, name, work, pictures }) => ({
    label,
    name,
    work,
    pictures: pictures.map(({ crop, network, embedding }) => ({ crop, network, embedding: embedding ? encodeEmbedding(embedding) : "" })),
  }));
  return JSON.stringify({ format: FORMAT, version: 1, characters });
}

/** Let the reader save the file. */
export function saveFile() {
  saveAs(new Blob([writeFile()], { type: "application/json" }), FILE_NAME);
}

/**
 * Take a file in; what is there already stays as it is.
 * @param {Blob} file @returns {Promise<Intake>}
 * @throws {TransferError} @throws {Error} where the browser does not keep it
 */
export async function readFile(file) {
  /** @type {import("./lessons.js").Lesson[]} */
  const lessons = [];
  const pairs = await listPictures(file);
  for (const { naming, picture } of pairs) {
    const usable = naming !== null && (await isPicture(picture?.crop));
    if (usable) lessons.push({ naming, crop: picture.crop, ...readEmbedding(picture) });
  }
  const taken = await taught.teachAll(lessons);
  const count = (/** @type {import("./lessons.js").Outcome[]} */ ...outcomes) =>
    taken.filter(({ outcome }) => outcomes.includes(outcome)).length;
  const [added, there] = [count("new", "more"), count("twice")];
  return { added, there, refused: pairs.length - added - there };
}

/** @param {Blob} file */
async function listPictures(file) {
  if (file.size > MAX_FILE_BYTES) throw new TransferError();
  let read;
  try {
    read = JSON.parse(await file.text());
  } catch {
    throw new TransferError();
  }
  if (read?.format !== FORMAT || !Array.isArray(read.characters)) throw new TransferError();
  const pairs = read.characters.flatMap((/** @type {any} */ character) => {
    const pictures = Array.isArray(character?.pictures) ? character.pictures : [];
    return pictures.map((/** @type {any} */ picture) => ({ naming: readNaming(character), picture }));
  });
  return pairs.slice(0, 2 * MOST_PICTURES);
}

/** @param {any} character @returns {import("./taught.js").Naming | null} */
function readNaming({ label = "", name, work = "" }) {
  const fits = [label, name, work].every((text) => typeof text === "string" && text.length <= MAX_TEXT_CHARACTERS);
  return fits && name.trim() !== "" ? { label, name, work } : null;
}

/** @param {unknown} crop @returns {Promise<boolean>} */
async function isPicture(crop) {
  if (typeof crop !== "string" || crop.length > MAX_CROP_CHARACTERS || !CROP.test(crop)) return false;
  const image = new Image();
  const loaded = new Promise((resolve, reject) => Object.assign(image, { onload: resolve, onerror: reject }));
  image.src = crop;
  try {
    await loaded;
    if (Math.max(image.naturalWidth, image.naturalHeight) > MAX_SIDE_PX) return false;
    await image.decode();
    return true;
  } catch {
    return false;
  }
}

/** What cannot be an embedding is made again from the crop. @param {any} picture */
function readEmbedding({ network, embedding }) {
  try {
    const values = decodeEmbedding(embedding);
    const length = Math.hypot(...values);
    if (typeof network === "string" && /^\w{1,64}$/.test(network) && Math.abs(length - 1) < 0.01) {
      return { network, embedding: values };
    }
  } catch {
    // it is no base64
  }
  return { network: "", embedding: null };
}

/**
 * Keeps the pictures of this tab, with their boxes and answers, in the browser's own database: over a reload, a
 * change of language, and a way to another page and back. Nothing of it is sent.
 *
 * What nobody has touched for twelve hours is deleted when a page of the site next looks in. Where the browser has
 * no database for us, nothing is kept and nothing fails.
 */

import { transact } from "./database.js";
import { readText, writeText } from "./kept-list.js";

/** @typedef {import("./album.js").Entry} Entry */
/** @typedef {import("./album.js").View} View */
/** @typedef {{name: string, added: number, touched: number, view: View | null}} Row */

const DATABASE = "kyara-pictures";
const STORES = { files: {}, pictures: {} };
const LONGEST_STAY_MS = 12 * 3600 * 1000;
/** A larger file, a long video say, lasts as long as the page does. */
const MAX_KEPT_BYTES = 256 * 1024 * 1024;

/** It outlives a reload, and ends with its tab. */
const SESSION = "sessionStorage";
const TAB = "tab";
const OPEN = "open-picture";
const LEFT = "left-picture";

/**
 * @template T
 * @param {(files: IDBObjectStore, rows: IDBObjectStore) => IDBRequest<T>} act
 * @returns {Promise<T | undefined>} undefined where the browser has no database for us, or no room
 */
function withStores(act) {
  return transact(DATABASE, STORES, "readwrite", act).catch(() => undefined);
}

/** @param {string} name @returns {string} what was written, once */
function takeSession(name) {
  const text = readText(name, SESSION);
  writeText(name, "", SESSION);
  return text;
}

/** This tab's name, which is given at its first picture. */
function nameTab() {
  const known = readText(TAB, SESSION);
  if (known) return known;
  const name = `${Date.now()}-${Math.random()}`;
  writeText(TAB, name, SESSION);
  return name;
}

/** @param {Entry} entry @returns {Row} */
function rowOf({ name, added, view }) {
  return { name, added, touched: Date.now(), view };
}

/** Keep a picture and what is known of it. @param {Entry} entry */
export async function keepPicture(entry) {
  if (entry.blob.size > MAX_KEPT_BYTES) return;
  const key = [nameTab(), entry.id];
  await withStores((files, rows) => {
    forgetOld(files, rows);
    files.put(entry.blob, key);
    return rows.put(rowOf(entry), key);
  });
}

/** Keep what is known of a picture that is kept. @param {Entry} entry */
export async function keepView(entry) {
  const key = [nameTab(), entry.id];
  await withStores((files, rows) => {
    const kept = files.count(key);
    kept.onsuccess = () => {
      if (kept.result > 0) rows.put(rowOf(entry), key);
    };
    return kept;
  });
}

/** Keep what is known of a picture that nobody looks at: it stays no longer for that. @param {Entry} entry */
export async function keepUnseen({ id, view }) {
  const key = [nameTab(), id];
  await withStores((_files, rows) => {
    const kept = rows.get(key);
    kept.onsuccess = () => {
      if (kept.result) rows.put({ ...kept.result, view }, key);
    };
    return kept;
  });
}

/** @param {Entry} entry */
export async function forgetPicture({ id }) {
  const key = [nameTab(), id];
  await withStores((files, rows) => {
    rows.delete(key);
    return files.delete(key);
  });
}

/** Delete what was not touched for long, whichever tab had it. @param {IDBObjectStore} files @param {IDBObjectStore} rows */
function forgetOld(files, rows) {
  const walk = rows.openCursor();
  walk.onsuccess = () => {
    const cursor = walk.result;
    if (!cursor) return;
    const { touched } = /** @type {Row} */ (cursor.value);
    if (touched < Date.now() - LONGEST_STAY_MS) {
      files.delete(cursor.primaryKey);
      cursor.delete();
    }
    cursor.continue();
  };
}

/** The pictures that this tab had, in the order in which they came. @returns {Promise<Entry[]>} */
export async function readPictures() {
  const tab = readText(TAB, SESSION);
  if (!tab) return []; // the database is left alone
  /** @type {Entry[]} */
  const entries = [];
  await withStores((files, rows) => {
    forgetOld(files, rows);
    const walk = rows.openCursor(IDBKeyRange.bound([tab], [tab, []]));
    walk.onsuccess = () => {
      const cursor = walk.result;
      if (!cursor) return;
      const { name, added, view } = /** @type {Row} */ (cursor.value);
      const [, id] = /** @type {string[]} */ (cursor.primaryKey);
      const reading = files.get(cursor.primaryKey);
      reading.onsuccess = () => {
        if (reading.result) entries.push({ id, name, added, blob: reading.result, view });
      };
      cursor.continue();
    };
    return walk;
  });
  const left = JSON.parse(takeSession(LEFT) || "null");
  for (const entry of entries) if (entry.id === left?.id) entry.view = left.view;
  return entries.sort((a, b) => a.added - b.added);
}

/** Keep how the picture that is shown looks as the page goes: the database would be too slow. @param {Entry | null} entry */
export function keepLeaving(entry) {
  writeText(LEFT, entry ? JSON.stringify({ id: entry.id, view: entry.view }) : "", SESSION);
}

/** Tell the next page which picture to open: the address of a language begins a new entry of the history. @param {string} id */
export function carryOver(id) {
  writeText(OPEN, id, SESSION);
}

/** The picture that the page before told to open, if it did; told once. */
export function takeCarried() {
  return takeSession(OPEN);
}

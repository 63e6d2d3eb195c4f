/**
 * Carries the picture over a change of language: it is put into the browser's own database,
 * taken out by the next page, and deleted there at once.
 */

/** @typedef {{blob: Blob, frame: number, level: number | null, turns: number, faces: Omit<import("./state.js").Face, "id">[]}} Stash */

const STORE = "stash";

/** @returns {Promise<IDBDatabase>} */
function openDatabase() {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("kyara", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
}

/**
 * @template T
 * @param {(store: IDBObjectStore) => IDBRequest<T>} act
 * @returns {Promise<T | undefined>} undefined where the browser has no database for us
 */
async function withStore(act) {
  let database;
  try {
    database = await openDatabase();
    const transaction = database.transaction(STORE, "readwrite");
    const result = act(transaction.objectStore(STORE));
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    return result.result;
  } catch {
    return undefined;
  } finally {
    database?.close();
  }
}

/** Says that this tab has a stash: without it the database is left alone. */
const FLAG = "stashed";

/**
 * Before the reader goes to another language, put away what there is.
 * @param {() => Stash | null} collect
 */
export function keepPictureOverLanguages(collect) {
  for (const link of document.querySelectorAll("a[data-language]")) {
    link.addEventListener("click", (event) => {
      const stash = collect();
      if (!stash || !(link instanceof HTMLAnchorElement)) return;
      event.preventDefault();
      void putStash(stash).then(() => location.assign(link.href));
    });
  }
}

/** @param {Stash} stash */
async function putStash(stash) {
  const put = await withStore((store) => store.put(stash, "picture"));
  if (put !== undefined) sessionStorage.setItem(FLAG, "");
}

/** Take the stash out; it is gone afterwards. @returns {Promise<Stash | undefined>} */
export async function takeStash() {
  if (readFlag() === null) return undefined;
  sessionStorage.removeItem(FLAG);
  const stash = await withStore((store) => store.get("picture"));
  await withStore((store) => store.clear());
  return stash;
}

function readFlag() {
  try {
    return sessionStorage.getItem(FLAG);
  } catch {
    return null; // storage is blocked
  }
}

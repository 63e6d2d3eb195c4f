/** The browser's own databases, a transaction at a time. */

/**
 * @param {string} name @param {Record<string, IDBObjectStoreParameters>} stores to be made where it is new
 * @returns {Promise<IDBDatabase>}
 */
function openDatabase(name, stores) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(name, 1);
    opening.onupgradeneeded = () => {
      for (const [store, options] of Object.entries(stores)) opening.result.createObjectStore(store, options);
    };
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
}

/**
 * Do something with all stores of a database, all or nothing.
 * @template T
 * @param {string} name @param {Record<string, IDBObjectStoreParameters>} stores
 * @param {IDBTransactionMode} mode
 * @param {(...stores: IDBObjectStore[]) => IDBRequest<T> | null} act gets the stores in their order
 * @returns {Promise<T | undefined>} what was asked for; rejects where the browser has no database for us, or no room
 */
export async function transact(name, stores, mode, act) {
  const database = await openDatabase(name, stores);
  try {
    const names = Object.keys(stores);
    const transaction = database.transaction(names, mode);
    const request = act(...names.map((store) => transaction.objectStore(store)));
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    return request?.result;
  } finally {
    database.close();
  }
}

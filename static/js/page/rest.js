/** A pause that can be cut short. */

/**
 * Wait for so long.
 * @param {number} milliseconds @param {AbortSignal} signal @returns {Promise<void>} rejects when the signal aborts
 */
export function rest(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const cut = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", cut);
      resolve();
    }, milliseconds);
    signal.addEventListener("abort", cut, { once: true });
  });
}

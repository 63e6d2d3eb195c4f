/**
 * How the page hears of changes: server-sent events, and where no stream can be had, asking now and then.
 */

import { ask } from "./api.js";

const ASK_EVERY_MS = 3000;

/**
 * @param {string} stream address of the events
 * @param {string} state address of the state
 * @param {(state: any) => void} show
 */
export function watchState(stream, state, show) {
  const source = new EventSource(stream);
  source.addEventListener("message", (event) => show(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    // a stream that has ended opens again by itself; one that was refused does not
    if (source.readyState === EventSource.CLOSED) askNowAndThen(state, show);
  });
}

/** @param {string} state @param {(state: any) => void} show */
function askNowAndThen(state, show) {
  setTimeout(async () => {
    if (document.visibilityState === "visible") await ask(state).then(show, () => undefined);
    askNowAndThen(state, show);
  }, ASK_EVERY_MS);
}

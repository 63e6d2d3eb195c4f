/**
 * Sends reports until they have arrived. Each carries a token, so that sending it twice does no
 * harm; while there is no connection they are kept in the browser, over a reload too.
 */

import { ConnectionError, ServerError, sendReport, withdrawReport } from "../page/api.js";
import { addToList, readList, takeFromList } from "../page/kept-list.js";
import { say, sayWhen } from "../page/messages.js";
import { Toast } from "../page/toasts.js";

/** @typedef {import("../page/api.js").Report} Report */

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;
/** Who is to wait longer than this is told so rather than kept waiting. */
const LONGEST_PATIENCE_S = 60;
const STORAGE_KEY = "reports";

/** 128 random bits; `crypto.randomUUID` exists on https and localhost alone. */
export function createToken() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether the reader is at the keyboard. */
let isTyping = false;
addEventListener("keydown", () => (isTyping = true), { capture: true });
addEventListener("pointerdown", () => (isTyping = false), { capture: true });

/**
 * Send a report, tell the reader how it goes, and offer to undo it.
 * @param {Report} report
 * @param {object} [told]
 * @param {(reported: boolean) => void} [told.mark] when the report counts, and when it does not any more
 * @param {() => void} [told.withdrawn] when the reader took it back
 * @param {() => void} [told.refused] when the server does not take it
 */
export async function submitReport(report, { mark = () => {}, withdrawn = () => {}, refused = () => {} } = {}) {
  addToList(STORAGE_KEY, "token", report);
  mark(true);
  const toast = new Toast();
  toast.say(say("report_sending"));
  try {
    const { id } = await sendPatiently(report, () => toast.say(say("report_waiting")));
    toast.say(say("report_thanks"));
    const takeBack = () => {
      mark(false);
      withdrawn();
    };
    toast.offerUndo(() => void withdraw(id, report.token, toast, takeBack));
    // Ten seconds are short for somebody who comes by keyboard from the top of the page.
    if (isTyping && document.activeElement === document.body) toast.undoButton.focus();
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    mark(false);
    refused();
    const when = sayWhen(error.retryAfter ?? 0);
    toast.say(error.isLimited ? say("too_often", { when }) : say("report_refused", { detail: error.message }), "error");
  } finally {
    takeFromList(STORAGE_KEY, "token", report);
  }
}

/** Send what an earlier page could not. */
export function resumeReports() {
  for (const report of readList(STORAGE_KEY)) void submitReport(report);
}

/** @param {Report} report @param {() => void} sayWaiting */
async function sendPatiently(report, sayWaiting) {
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
    try {
      return await sendReport(report);
    } catch (error) {
      const passes = error instanceof ConnectionError || (error instanceof ServerError && error.mayPass);
      const long = error instanceof ServerError && (error.retryAfter ?? 0) > LONGEST_PATIENCE_S;
      if (!passes || long) throw error;
      sayWaiting();
      const asked = error instanceof ServerError ? (error.retryAfter ?? 0) * 1000 : 0;
      await pauseOrOnline(Math.max(wait, asked));
    }
  }
}

/** @param {number} milliseconds @returns {Promise<void>} */
function pauseOrOnline(milliseconds) {
  return new Promise((resolve) => {
    const go = () => {
      clearTimeout(timer);
      removeEventListener("online", go);
      resolve();
    };
    const timer = setTimeout(go, milliseconds);
    addEventListener("online", go);
  });
}

/** @param {string | number} id @param {string} token @param {Toast} toast @param {() => void} withdrawn */
async function withdraw(id, token, toast, withdrawn) {
  try {
    await withdrawReport(id, token);
    withdrawn();
    toast.sayAndGo(say("report_withdrawn"));
  } catch (error) {
    const isLost = error instanceof ConnectionError;
    const mayPass = isLost || (error instanceof ServerError && error.mayPass);
    toast.say(say(isLost ? "unreachable" : mayPass ? "busy_for_long" : "report_too_late"), "error");
    if (mayPass) toast.offerUndo(() => void withdraw(id, token, toast, withdrawn));
  }
}

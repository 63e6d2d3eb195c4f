/**
 * What becomes of what comes in: files go into the album, what has an address is fetched first.
 */

import { MAX_PICTURES } from "../page/album.js";
import { say, settings } from "../page/messages.js";
import { Toast } from "../page/toasts.js";
import { AddressError, fetchPicture } from "./address.js";
import { takeShared } from "./shared.js";

/** @typedef {import("../page/album.js").Album} Album */
/** @typedef {import("../page/status.js").StatusLine} StatusLine */
/** @typedef {import("./address.js").Reason} Reason */

/** @type {Record<Reason, (host: string) => string>} */
const REASONS = {
  blocked: (host) => say("address_blocked", { host }),
  page: () => say("address_page"),
  missing: () => say("address_missing"),
  too_large: () => say("address_too_large"),
  invalid: () => say("address_invalid"),
};
/** Where the visitor can go on by opening the address. @type {readonly string[]} */
const CAN_BE_OPENED = ["blocked", "page", "too_large"];

export class Arrivals {
  /** @type {AbortController | null} */
  #fetching = null;

  /** @param {Album} album @param {StatusLine} status */
  constructor(album, status) {
    this.album = album;
    this.status = status;
  }

  /** Give up what is being fetched: something else is shown. */
  cancel() {
    this.#fetching?.abort();
    this.#fetching = null;
  }

  /** Begin to fetch instead of what is being fetched. */
  #begin() {
    this.cancel();
    this.#fetching = new AbortController();
    return this.#fetching;
  }

  /** @param {readonly Blob[]} blobs */
  async take(blobs) {
    this.cancel();
    const adding = this.album.add(blobs);
    if (blobs.length > MAX_PICTURES) new Toast().sayAndGo(say("too_many_pictures", { limit: MAX_PICTURES }));
    await adding;
  }

  /** @param {string} address */
  async fetch(address) {
    const fetching = this.#begin();
    const host = hostOf(address);
    const cancel = () => {
      fetching.abort();
      this.status.hide();
    };
    this.status.show({ kind: "busy", text: say("fetching", { host }), action: say("cancel"), act: cancel });
    try {
      const file = await fetchPicture(address, fetching.signal);
      if (!fetching.signal.aborted) await this.take([file]);
    } catch (error) {
      if (fetching.signal.aborted) return;
      if (!(error instanceof AddressError)) throw error;
      this.#explain(error, address, host);
    }
  }

  /** @param {AddressError} error @param {string} address @param {string} host */
  #explain({ reason }, address, host) {
    const canOpen = /^https?:/i.test(address) && CAN_BE_OPENED.includes(reason);
    const action = canOpen ? say("open_address") : "";
    const act = () => void window.open(address, "_blank", "noopener,noreferrer");
    this.status.show({ kind: "error", text: REASONS[reason](host), action, act });
  }

  async openExample() {
    const { signal } = this.#begin();
    this.status.show({ kind: "busy", text: say("opening") });
    try {
      const response = await fetch(settings.urls.example, { signal });
      if (!response.ok) throw new Error(response.statusText);
      await this.take([new File([await response.blob()], "example.png")]);
    } catch {
      if (!signal.aborted) this.status.show({ kind: "error", text: say("example_failed") });
    }
  }

  /**
   * Take what a phone's *Share* has left with the service worker. Only the installed site has one: a visit costs
   * nothing.
   */
  async receiveShares() {
    // without a network the one that is installed goes on
    const register = () => void navigator.serviceWorker?.register("/service-worker.js").catch(() => {});
    addEventListener("appinstalled", register);
    if (matchMedia("(display-mode: standalone)").matches) register();
    if (!new URLSearchParams(location.search).has("shared")) return;
    history.replaceState(null, "", location.pathname);
    const files = await takeShared();
    if (files.length > 0) await this.take(files);
  }
}

/** @param {string} address */
function hostOf(address) {
  return URL.canParse(address) ? new URL(address).host : "";
}

/**
 * What the review page has for reports alone: which are shown, the vote, the export, deleting for good.
 */

import { byId } from "../page/elements.js";
import { say } from "../page/messages.js";
import { announce } from "../page/status.js";
import { deleteReports, fetchReports, listNames, switchVote, toItem, writeFilter } from "./review-calls.js";

/** @typedef {import("./review-calls.js").Filter} Filter */
/** @typedef {import("./review-calls.js").Report} Report */

const PAGE_REPORTS = 24;

export class ReportControls {
  #offset = 0;
  total = 0;

  /** @param {(text: string) => void} tell @param {(work: () => Promise<void>) => void} attempt @param {() => Promise<void>} reload */
  constructor(tell, attempt, reload) {
    const address = new URLSearchParams(location.search);
    /** @type {Filter} */
    this.filter = { state: address.get("state") ?? "pending", label: address.get("label"), sender: address.get("sender") };
    this.tell = tell;
    this.attempt = attempt;
    this.reload = reload;
    this.select = byId("filter-state", HTMLSelectElement);
    this.vote = byId("vote", HTMLInputElement);
    this.dialog = byId("delete-dialog", HTMLDialogElement);
    this.select.addEventListener("change", () => this.#show({ ...this.filter, state: this.select.value }));
    this.vote.addEventListener("change", () => attempt(() => this.#switchVote(this.vote.checked)));
    byId("filter-clear", HTMLButtonElement).addEventListener("click", () => this.narrow({}));
    byId("earlier", HTMLButtonElement).addEventListener("click", () => this.#show(this.filter, this.#offset - PAGE_REPORTS));
    byId("later", HTMLButtonElement).addEventListener("click", () => this.#show(this.filter, this.#offset + PAGE_REPORTS));
    byId("delete-cancel", HTMLButtonElement).addEventListener("click", () => this.dialog.close());
  }

  /** Show only what one sender, or one label, stands behind. @param {{label?: string, sender?: string}} to */
  narrow({ label, sender }) {
    this.#show({ ...this.filter, label: label ?? null, sender: sender ?? null });
  }

  /** @param {Filter} filter @param {number} [offset] */
  #show(filter, offset = 0) {
    this.filter = filter;
    this.#offset = Math.max(0, offset);
    this.attempt(this.reload);
  }

  /** The reports of the filter as items, and what they call people. */
  async load() {
    let found = await fetchReports(this.filter, this.#offset, PAGE_REPORTS);
    if (found.reports.length === 0 && this.#offset > 0) {
      this.#offset = 0; // everything of the last page was decided
      found = await fetchReports(this.filter, 0, PAGE_REPORTS);
    }
    this.total = found.total;
    this.vote.checked = found.vote;
    this.showCounts(found.counts);
    byId("earlier", HTMLButtonElement).hidden = this.#offset === 0;
    byId("later", HTMLButtonElement).hidden = this.#offset + PAGE_REPORTS >= this.total;
    return { items: found.reports.map(toItem), names: listNames(found.reports) };
  }

  /** @param {Record<string, number>} counts of reports by state */
  showCounts(counts) {
    for (const option of this.select.options) {
      const count = counts[option.value];
      const words = (option.dataset.words ??= option.text);
      option.textContent = count === undefined ? words : `${words} (${count})`;
    }
    const { state, label, sender } = this.filter;
    this.select.value = state;
    byId("filter-chip", HTMLElement).hidden = label === null && sender === null;
    byId("filter-words", HTMLElement).textContent = label !== null ? `“${label}”` : say("sender", { name: sender?.slice(0, 6) ?? "" });
    byId("export", HTMLAnchorElement).search = String(writeFilter(this.filter));
    history.replaceState(null, "", `?${writeFilter(this.filter)}`);
  }

  /** @param {boolean} on */
  async #switchVote(on) {
    const { vote, accepted } = await switchVote(on);
    await this.reload();
    this.tell(vote ? say("vote_on", { total: accepted.length }) : say("vote_off"));
    announce(vote ? say("vote_is_on") : say("vote_is_off"));
  }

  /** Ask what to delete for good: reports, a character's or a sender's. @param {Report} current @param {string[]} ids */
  askToDelete(current, ids) {
    const [sender] = current.senders;
    const choices = [
      { text: say("delete_these", { count: ids.length }), choice: { ids } },
      { text: say("delete_label", { name: current.said }), choice: { label: current.said } },
      ...(sender ? [{ text: say("delete_sender", { name: sender.slice(0, 6) }), choice: { sender } }] : []),
    ];
    const form = byId("delete-choices", HTMLElement);
    form.replaceChildren(
      ...choices.map(({ text }, place) => {
        const label = document.createElement("label");
        const input = Object.assign(document.createElement("input"), { type: "radio", name: "what", value: String(place), checked: place === 0, className: "form-check-input" });
        label.className = "form-check-label d-flex gap-2";
        label.append(input, ` ${text}`);
        return label;
      }),
    );
    byId("delete-form", HTMLFormElement).onsubmit = () => {
      const chosen = form.querySelector("input:checked");
      const place = chosen instanceof HTMLInputElement ? Number(chosen.value) : 0;
      this.attempt(async () => {
        const { deleted } = await deleteReports(choices[place].choice);
        await this.reload();
        this.tell(say("deleted", { count: deleted.length }));
      });
    };
    this.dialog.showModal();
  }
}

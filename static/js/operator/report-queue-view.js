/**
 * The list of reports: which one is looked at, which are selected. Arrows, Shift and clicks.
 */

import { byId, copyTemplate, part } from "../page/elements.js";
import { MARKS } from "./report-detail.js";

/** @typedef {import("./report-calls.js").Report} Report */

export class QueueView {
  /** @type {Report[]} */
  reports = [];
  /** @type {Set<string>} ids */
  selected = new Set();
  /** place of the report that is looked at, -1 where there is none */
  place = -1;

  /** @param {() => void} onChange something else is looked at or selected */
  constructor(onChange) {
    this.list = byId("queue", HTMLElement);
    this.onChange = onChange;
    this.list.addEventListener("click", (event) => {
      const entry = event.target instanceof Element ? event.target.closest(".entry") : null;
      if (entry === null) return;
      const place = [...this.list.children].indexOf(entry);
      if (event.shiftKey) this.#selectUpTo(place);
      else if (event.ctrlKey || event.metaKey) this.#toggle(place);
      this.look(place);
    });
  }

  /** The report that is looked at. @returns {Report | null} */
  get current() {
    return this.reports[this.place] ?? null;
  }

  /** Those that a key decides about: the selected ones, else the one that is looked at. */
  get chosen() {
    if (this.selected.size > 0) return this.reports.filter(({ id }) => this.selected.has(id));
    return this.current ? [this.current] : [];
  }

  /** @param {Report[]} reports @param {string | null} lookAt id of a report, else the first one */
  show(reports, lookAt = null) {
    this.reports = reports;
    this.selected.clear();
    this.list.replaceChildren(...reports.map(createEntry));
    const place = reports.findIndex(({ id }) => id === lookAt);
    this.place = -1;
    this.look(reports.length === 0 ? -1 : Math.max(place, 0), { focus: false });
  }

  /** Leave reports out, or show them as they are now. @param {Report[]} changed @param {(report: Report) => boolean} stays */
  update(changed, stays) {
    const now = new Map(changed.map((report) => [report.id, report]));
    const before = this.place;
    const left = this.reports.slice(0, before).filter(({ id }) => !now.has(id) || stays(/** @type {Report} */ (now.get(id)))).length;
    const focused = this.list.contains(document.activeElement);
    this.show(
      this.reports
        .map((report) => ({ ...report, ...now.get(report.id) }))
        .filter((report) => !now.has(report.id) || stays(report)),
    );
    this.look(Math.min(left, this.reports.length - 1), { focus: focused });
  }

  /** @param {number} place @param {{focus?: boolean, select?: boolean}} [how] */
  look(place, { focus = true, select = false } = {}) {
    if (select && this.current) this.selected.add(this.current.id);
    this.place = Math.max(-1, Math.min(place, this.reports.length - 1));
    if (select && this.current) this.selected.add(this.current.id);
    this.#mark();
    const entry = this.list.children[this.place];
    if (entry) {
      entry.scrollIntoView({ block: "nearest" });
      if (focus) part(entry, ".entry-button").focus({ preventScroll: true });
    }
    this.onChange();
  }

  /** @param {number} steps @param {boolean} select on the way */
  move(steps, select) {
    if (this.reports.length > 0) this.look(Math.max(0, this.place + steps), { select });
  }

  /** Select the one that is looked at, or not any more. */
  toggle() {
    this.#toggle(this.place);
    this.#mark();
    this.onChange();
  }

  /** @param {boolean} all */
  select(all) {
    this.selected = new Set(all ? this.reports.map(({ id }) => id) : []);
    this.#mark();
    this.onChange();
  }

  /** @param {number} place */
  #toggle(place) {
    const id = this.reports[place]?.id;
    if (id !== undefined && !this.selected.delete(id)) this.selected.add(id);
  }

  /** @param {number} place */
  #selectUpTo(place) {
    const [first, last] = [Math.min(place, this.place), Math.max(place, this.place)];
    for (const { id } of this.reports.slice(Math.max(first, 0), last + 1)) this.selected.add(id);
  }

  #mark() {
    [...this.list.children].forEach((entry, place) => {
      const { id } = this.reports[place];
      const button = part(entry, ".entry-button");
      if (place === this.place) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      button.setAttribute("aria-pressed", String(this.selected.has(id)));
      button.tabIndex = place === this.place ? 0 : -1;
    });
  }
}

/** @param {Report} report */
function createEntry(report) {
  const entry = copyTemplate("entry-template");
  entry.dataset.report = report.id;
  entry.dataset.state = report.state;
  const crop = part(entry, ".entry-crop");
  if (crop instanceof HTMLImageElement) crop.src = report.crop;
  part(entry, ".entry-name").textContent = report.reviewed_name ?? report.said_name;
  part(entry, ".entry-marks").textContent = report.marks.map((mark) => MARKS[mark][0]).join(", ");
  part(entry, ".entry-count").textContent = report.count > 1 ? `×${report.count}` : "";
  return entry;
}

/**
 * How many drawings each character has, as the server counts them, and which have too few.
 */

import { byId, copyTemplate, part } from "../page/elements.js";
import { say } from "../page/messages.js";

/** @typedef {{label: string, drawings: number, sources: number, warnings: string[]}} Count */

export class Counts {
  /** @type {Map<string, Count>} the last changed first */
  #counts = new Map();

  /** @param {import("./review-state.js").ReviewState} state */
  constructor(state) {
    this.state = state;
    this.list = byId("counts-list", HTMLElement);
    this.words = byId("counts-words", HTMLElement);
    if (matchMedia("(max-width: 767.98px)").matches) byId("label-counts", HTMLDetailsElement).open = false;
  }

  /** @param {Count[]} counts of all characters */
  load(counts) {
    this.#counts = new Map(counts.map((count) => [count.label, count]));
    this.#draw();
  }

  /** @param {Count[]} counts of those that changed */
  update(counts) {
    const changed = new Map(counts.map((count) => [count.label, count]));
    const others = [...this.#counts].filter(([label]) => !changed.has(label));
    this.#counts = new Map([...changed, ...others].filter(([, count]) => count.drawings > 0));
    this.#draw();
  }

  #draw() {
    const counts = [...this.#counts.values()];
    const few = counts.filter(({ warnings }) => warnings.length > 0).length;
    this.words.textContent = counts.length === 0 ? say("none_yet") : few ? say("counts_few", { total: counts.length, few }) : `${counts.length}`;
    this.list.replaceChildren(...counts.map((count) => this.#createCount(count)));
  }

  /** @param {Count} count */
  #createCount({ label, drawings, sources, warnings }) {
    const item = copyTemplate("count-template");
    item.dataset.label = label;
    part(item, ".count-name").textContent = this.state.nameOf(label).name;
    part(item, ".count-numbers").textContent = say("from_sources", { drawings, count: sources });
    part(item, ".count-warning").textContent = sayWarnings(warnings);
    return item;
  }
}

/** @param {string[]} warnings of `drawings`, `sources`, `training` */
function sayWarnings(warnings) {
  const words = [
    warnings.includes("drawings") && say("few_drawings"),
    warnings.includes("sources") && say("few_sources"),
    warnings.includes("training") && say("few_training"),
  ].filter(Boolean);
  return words.length > 0 ? `⚠ ${words.join(", ")}` : "";
}

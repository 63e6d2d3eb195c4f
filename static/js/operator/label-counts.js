/**
 * How many drawings each character has, as the server counts them, and which have too few.
 */

import { byId, copyTemplate, part } from "../page/elements.js";

/** @typedef {{label: string, drawings: number, sources: number, warnings: string[]}} Count */

export class Counts {
  /** @type {Map<string, Count>} the last changed first */
  #counts = new Map();

  /** @param {import("./label-state.js").LabelState} state */
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
    this.words.textContent = counts.length === 0 ? "none yet" : few ? `${counts.length}, ${few} with too few` : `${counts.length}`;
    this.list.replaceChildren(...counts.map((count) => this.#createCount(count)));
  }

  /** @param {Count} count */
  #createCount({ label, drawings, sources, warnings }) {
    const item = copyTemplate("count-template");
    item.dataset.label = label;
    part(item, ".count-name").textContent = this.state.nameOf(label).name;
    const from = sources === 1 ? "1 source" : `${sources} sources`;
    part(item, ".count-numbers").textContent = `${drawings} from ${from}`;
    part(item, ".count-warning").textContent = sayWarnings(warnings);
    return item;
  }
}

/** @param {string[]} warnings of `drawings`, `sources`, `training` */
function sayWarnings(warnings) {
  const few = warnings.filter((warning) => warning !== "training").join(" and ");
  const words = [few && `too few ${few}`, warnings.includes("training") && "none to train on"].filter(Boolean);
  return words.length > 0 ? `⚠ ${words.join(", ")}` : "";
}

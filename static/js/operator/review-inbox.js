/**
 * The faces as a list of tiles, in sections; choosing them with the mouse.
 */

import { byId, copyTemplate, part } from "../page/elements.js";
import { say, sayPercent } from "../page/messages.js";
import { nameMark } from "./report-detail.js";

/** @typedef {import("./review-state.js").ReviewState} ReviewState */
/** @typedef {import("./review-state.js").Face} Face */

const KINDS = {
  report: say("kind_report"),
  uncertain: say("kind_uncertain"),
  new: say("kind_new"),
  sure: say("kind_sure"),
  unseen: say("kind_unseen"),
};
const DRAG_PX = 6;

/** @param {Face} face */
export const pictureUrl = ({ confirmed: { id, report } }) => report?.crop ?? `/operator/label/pictures/${encodeURIComponent(id)}`;

export class Inbox {
  /** @type {Map<string, HTMLElement>} */
  #tiles = new Map();
  #anchor = "";
  /** A tap chooses one more. */
  several = false;

  /** @param {ReviewState} state */
  constructor(state) {
    this.state = state;
    this.list = byId("label-inbox", HTMLElement);
    this.marquee = byId("label-marquee", HTMLElement);
    this.list.addEventListener("click", (event) => this.#handleClick(event));
    // a drag may begin beside the faces
    byId("review-page", HTMLElement).addEventListener("pointerdown", (event) => {
      const beside = event.target instanceof Element && event.target.closest(".label-panel, .label-counts");
      if (!beside) this.#handleDrag(event);
    });
  }

  /** Draw every tile anew. */
  draw() {
    this.#tiles.clear();
    /** @type {HTMLElement[]} */
    const sections = [];
    let last = "\n";
    for (const id of this.state.order) {
      const face = /** @type {Face} */ (this.state.faces.get(id));
      const { kind, group } = face.confirmed;
      const key = kind === "new" && group ? group : kind === "sure" ? `sure ${group}` : kind;
      if (key !== last) {
        sections.push(copyTemplate("section-template"));
        sections[sections.length - 1].dataset.kind = kind;
        last = key;
      }
      const tile = copyTemplate("tile-template");
      tile.dataset.face = id;
      part(tile, "img").setAttribute("src", pictureUrl(face));
      part(sections[sections.length - 1], ".inbox-tiles").append(tile);
      this.#tiles.set(id, tile);
    }
    for (const section of sections) this.#nameSection(section);
    this.list.replaceChildren(...sections);
    for (const id of this.#tiles.keys()) this.update(id);
    this.reveal();
  }

  /** @param {HTMLElement} section */
  #nameSection(section) {
    const tiles = section.querySelectorAll(".tile-face");
    const first = this.state.faces.get(/** @type {HTMLElement} */ (tiles[0]).dataset.face ?? "");
    const { kind, group } = /** @type {Face} */ (first).confirmed;
    let words = KINDS[/** @type {keyof typeof KINDS} */ (kind)] ?? kind;
    if (kind === "sure") words = say("sure_name", { name: this.state.nameOf(group).name });
    else if (kind === "new" && group) words = say("look_alikes");
    const title = part(section, ".inbox-title");
    title.textContent = title.title = `${words} · ${tiles.length}`;
    section.setAttribute("aria-label", title.textContent);
  }

  /** Draw what has changed of one face. @param {string} id */
  update(id) {
    const tile = this.#tiles.get(id);
    const face = this.state.faces.get(id);
    if (!tile || !face) return;
    const mark = findMark(face);
    const current = id === this.state.cursor;
    tile.dataset.mark = mark;
    tile.classList.toggle("is-current", current);
    tile.tabIndex = current ? 0 : -1;
    tile.setAttribute("aria-selected", String(this.state.chosen.has(id)));
    const [best] = face.confirmed.answers;
    const { kind, report } = face.confirmed;
    const guess = report ? report.said_name : best && kind !== "new" ? `${this.state.nameOf(best[0]).name}?` : "";
    const name = face.label === null ? guess : this.state.nameOf(face.label).name;
    part(tile, ".tile-name").textContent = name;
    const words = { open: report ? sayReport(report) : "", saving: say("tile_unsaved"), saved: say("tile_saved"), changed: face.note }[mark];
    part(tile, ".tile-state").textContent = words;
    const share = best && !report && face.label === null && guess ? `, ${sayPercent(best[1])}` : "";
    tile.setAttribute("aria-label", `${say("face_number", { number: this.state.order.indexOf(id) + 1 })}. ${name}${share} ${words}`);
  }

  /** Bring the current face into view, and give it the keyboard where a tile had it. */
  reveal() {
    const tile = this.#tiles.get(this.state.cursor);
    if (!tile) return;
    tile.scrollIntoView({ block: "nearest", behavior: "instant" });
    if (this.list.contains(document.activeElement)) tile.focus({ preventScroll: true });
  }

  /** The face that lies above or below another. @param {string} id @param {1 | -1} step */
  findInRow(id, step) {
    const here = this.#tiles.get(id)?.getBoundingClientRect();
    if (!here) return id;
    let best = id;
    let least = Number.POSITIVE_INFINITY;
    for (const [other, tile] of this.#tiles) {
      const there = tile.getBoundingClientRect();
      const rows = (there.top - here.top) * step;
      if (rows < here.height / 2) continue;
      const distance = rows * 10 + Math.abs(there.left - here.left);
      if (distance < least) [best, least] = [other, distance];
    }
    return best;
  }

  /** @param {MouseEvent} event */
  #handleClick(event) {
    const id = findFace(event);
    if (!id) return;
    if (event.shiftKey) {
      this.state.choose([...this.state.chosen, ...this.state.between(this.#anchor || this.state.cursor, id)]);
    } else if (event.ctrlKey || event.metaKey || this.several) {
      this.state.toggle(id);
    } else {
      this.state.choose([]);
    }
    if (!event.shiftKey) this.#anchor = id;
    this.state.goTo(id);
    this.#tiles.get(id)?.focus({ preventScroll: true });
  }

  /** Drag a rectangle over faces. Fingers scroll instead. @param {PointerEvent} event */
  #handleDrag(event) {
    if (event.button !== 0 || event.pointerType === "touch") return;
    if (event.shiftKey) event.preventDefault(); // or the browser selects text
    const start = { x: event.clientX, y: event.clientY + scrollY };
    const before = event.shiftKey || event.ctrlKey || event.metaKey ? [...this.state.chosen] : [];
    let dragging = false;
    const move = (/** @type {PointerEvent} */ now) => {
      const end = { x: now.clientX, y: now.clientY + scrollY };
      if (!dragging && Math.hypot(end.x - start.x, end.y - start.y) < DRAG_PX) return;
      dragging = true;
      const area = {
        left: Math.min(start.x, end.x),
        right: Math.max(start.x, end.x),
        top: Math.min(start.y, end.y) - scrollY,
        bottom: Math.max(start.y, end.y) - scrollY,
      };
      this.#showMarquee(area);
      this.state.choose([...before, ...this.#findWithin(area)]);
    };
    const stop = () => {
      removeEventListener("pointermove", move);
      this.marquee.hidden = true;
      if (!dragging) return;
      const [first] = this.state.targets;
      if (first) this.state.goTo(first);
      // the click that ends a drag is none
      addEventListener("click", (click) => click.stopPropagation(), { capture: true, once: true });
      setTimeout(() => dispatchEvent(new MouseEvent("click")), 0);
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", stop, { once: true });
  }

  /** @param {{left: number, right: number, top: number, bottom: number}} area */
  #showMarquee(area) {
    this.marquee.hidden = false;
    this.marquee.style.left = `${area.left}px`;
    this.marquee.style.top = `${area.top}px`;
    this.marquee.style.width = `${area.right - area.left}px`;
    this.marquee.style.height = `${area.bottom - area.top}px`;
  }

  /** @param {{left: number, right: number, top: number, bottom: number}} area */
  #findWithin(area) {
    return [...this.#tiles].filter(([, tile]) => {
      const box = tile.getBoundingClientRect();
      return box.left < area.right && box.right > area.left && box.top < area.bottom && box.bottom > area.top;
    }).map(([id]) => id);
  }
}

/** @param {Face} face @returns {"open" | "saving" | "saved" | "changed"} */
function findMark(face) {
  if (face.waiting > 0) return "saving";
  if (face.note) return "changed";
  return face.label === null ? "open" : "saved";
}

/** @param {import("./review-calls.js").Report} report */
function sayReport({ marks, count }) {
  return [count > 1 ? `×${count}` : "", ...marks.map(nameMark)].filter(Boolean).join(", ");
}

/** @param {Event} event */
function findFace(event) {
  const tile = event.target instanceof Element ? event.target.closest(".tile-face") : null;
  return tile instanceof HTMLElement ? (tile.dataset.face ?? "") : "";
}

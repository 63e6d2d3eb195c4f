/**
 * *Why?*: a heat map over the face, for any of its answers and by any method, and the nearest references.
 */

import { ConnectionError, ServerError, explain, isAbort } from "../page/api.js";
import { cutCrop, encodeCrops } from "../picture/crops.js";
import { closeFromOutside } from "../page/dialogs.js";
import { byId, copyTemplate, part } from "../page/elements.js";
import { lazily, say, sayPercent, sayWhen, settings } from "../page/messages.js";

/** @typedef {import("../page/api.js").Explanation} Explanation */
/** @typedef {import("../page/api.js").Neighbour} Neighbour */
/** @typedef {import("../page/api.js").IdentifiedFace} IdentifiedFace */
/** @typedef {import("../faces/geometry.js").Box} Box */
/** @typedef {{bitmap: ImageBitmap, box: Box, number: number, answer: IdentifiedFace}} Subject */

const CROP_CSS_PX = 320;
const cosine = lazily(() => new Intl.NumberFormat(settings.locale, { minimumFractionDigits: 2, maximumFractionDigits: 2 }));

export class WhyDialog {
  /** @type {Subject | null} */
  #subject = null;
  #crop = "";
  /** @type {Map<string, Explanation>} by label and method, as long as the dialog is open */
  #known = new Map();
  #asking = new AbortController();

  constructor() {
    this.dialog = byId("why-dialog", HTMLDialogElement);
    this.picture = byId("why-picture", HTMLElement);
    this.heat = byId("why-heat", HTMLImageElement);
    this.slider = byId("why-slider", HTMLInputElement);
    this.label = byId("why-label", HTMLSelectElement);
    this.method = byId("why-method", HTMLSelectElement);
    this.again = byId("why-again", HTMLButtonElement);
    byId("why-close", HTMLButtonElement).addEventListener("click", () => this.dialog.close());
    closeFromOutside(this.dialog);
    this.dialog.addEventListener("close", () => this.#forget());
    for (const select of [this.label, this.method]) {
      select.addEventListener("change", () => void this.#explain());
    }
    this.again.addEventListener("click", () => {
      this.label.focus(); // the button goes
      void this.#explain();
    });
    this.slider.addEventListener("input", () => this.#fade());
  }

  /** @param {Subject} subject */
  open(subject) {
    const { bitmap, box, number, answer } = subject;
    this.#subject = subject;
    [this.#crop] = encodeCrops(bitmap, [box]);
    byId("why-face", HTMLElement).textContent = say("face_number", { number });
    const crop = cutCrop(bitmap, box, CROP_CSS_PX * 2);
    this.picture.replaceChildren(crop, this.heat);
    this.label.replaceChildren(...createOptions(answer));
    this.#fade();
    this.dialog.showModal();
    this.label.focus();
    void this.#explain();
  }

  #forget() {
    this.#asking.abort();
    this.#subject = null;
    this.#known.clear();
    this.picture.replaceChildren(this.heat);
    this.#clear();
  }

  #clear() {
    this.heat.hidden = true;
    this.heat.removeAttribute("src");
    byId("why-nearest", HTMLElement).replaceChildren();
  }

  #fade() {
    const share = Number(this.slider.value) / 100;
    this.picture.style.setProperty("--heat", String(share));
    this.slider.setAttribute("aria-valuetext", sayPercent(share));
  }

  async #explain() {
    this.#asking.abort();
    const asking = new AbortController();
    this.#asking = asking;
    const label = this.label.value;
    const method = this.method.value;
    const key = `${method} ${label}`;
    this.#clear();
    this.picture.setAttribute("aria-label", this.#describe());
    const [option] = this.method.selectedOptions;
    byId("why-method-words", HTMLElement).textContent = option.dataset.words ?? "";
    let explanation = this.#known.get(key);
    if (!explanation) {
      this.#tell(say("why_drawing"), "busy");
      try {
        const question = { crop: this.#crop, label, method, language: settings.language };
        explanation = await explain(question, asking.signal);
      } catch (error) {
        if (!isAbort(error)) this.#tell(sayError(error), "error");
        return;
      }
      if (asking.signal.aborted) return;
      this.#known.set(key, explanation);
    }
    this.#show(explanation);
  }

  #describe() {
    const number = this.#subject?.number ?? 0;
    const chosen = this.#subject?.answer.answers.find(({ label }) => label === this.label.value);
    return say("why_map", { number, name: chosen?.name ?? "" });
  }

  /** @param {Explanation} explanation */
  #show({ heatmap, label, strength, nearest }) {
    this.heat.src = heatmap;
    this.heat.hidden = false;
    const rows = nearest.map((neighbour) => createRow(neighbour, neighbour.label === label));
    byId("why-nearest", HTMLElement).replaceChildren(...rows);
    const none = nearest.length === 0 ? say("why_none") : "";
    this.#tell([strength < 1 ? say("why_faint") : "", none].filter(Boolean).join(" "), "done");
  }

  /** @param {string} text @param {"busy" | "error" | "done"} kind */
  #tell(text, kind) {
    this.dialog.dataset.kind = kind;
    this.picture.setAttribute("aria-busy", String(kind === "busy"));
    byId("why-spinner", HTMLElement).hidden = kind !== "busy";
    byId("why-words", HTMLElement).textContent = text;
    this.again.hidden = kind !== "error";
  }
}

/** The answers to choose from; of an unknown face without how likely each is. @param {IdentifiedFace} answer */
function createOptions({ verdict, answers }) {
  const sayLikely = (/** @type {number} */ share) => (verdict === "unknown" ? "" : ` · ${sayPercent(share)}`);
  return answers.map(({ label, name, confidence }) => new Option(`${name}${sayLikely(confidence)}`, label));
}

/** @param {Neighbour} neighbour @param {boolean} own it is of the character that is explained */
function createRow({ name, similarity, thumbnail }, own) {
  const row = copyTemplate("neighbour-template");
  row.classList.toggle("is-own", own);
  part(row, ".neighbour-name").textContent = name;
  part(row, ".neighbour-similarity").textContent = cosine().format(similarity);
  part(row, ".progress-bar").style.width = `${Math.max(0.5, similarity * 100)}%`;
  const picture = row.querySelector("img");
  if (picture && thumbnail) {
    picture.src = thumbnail;
    picture.hidden = false;
  }
  return row;
}

/** @param {unknown} error */
function sayError(error) {
  if (error instanceof ConnectionError) return say("unreachable");
  if (error instanceof ServerError && error.isLimited) return say("too_often", { when: sayWhen(error.retryAfter ?? 60) });
  if (error instanceof ServerError && error.isBusy) return say("busy_for_long");
  return say("refused", { detail: error instanceof Error ? error.message : "" });
}

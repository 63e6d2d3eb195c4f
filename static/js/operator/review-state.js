/**
 * The items of the review page, reports and collected faces: what the server confirmed, what is on its
 * way, which are chosen. A report is a face with a suggested label.
 * Nothing here touches the page or the network.
 */

import { say } from "../page/messages.js";
import { createToken } from "../report/report-queue.js";

/** @typedef {{id: string, label: string | null, version: string, operator: string, kind: string, group: string, answers: [string, number][], source: string, time_s: number | null, report?: import("./review-calls.js").Report}} FaceJson the version of a report is its revision, as text */
/** @typedef {{id: string, kind: "label", label: string | null, faces: Record<string, string>, decision?: Decision, known?: boolean}} LabelAction of reports: with a decision; `known`: from now on, to everybody */
/** @typedef {{id: string, kind: "undo", undoes: string, faces: string[], reports?: boolean}} UndoAction */
/** @typedef {LabelAction | UndoAction} Action */
/** @typedef {{id: string, faces: string[], reports?: boolean, before?: Record<string, string | null>}} Done what can be undone */
/** @typedef {"accept" | "correct" | "reject" | "not_a_face" | "reopen"} Decision about reports */
/** @typedef {{name: string, work: string}} Name */
/** @typedef {{label: string, confidence: number | null}} Candidate */

export const NOT_A_FACE = "not_a_face";
/** What a report is labelled with that was rejected without saying who it shows. */
export const REJECTED = "\0rejected";
/** What a visitor says who knows nobody of the list in it, and no name. */
export const NOT_LISTED = "not_listed";
const CANDIDATES = 5;

/**
 * @typedef {object} Face
 * @property {FaceJson} confirmed what the server said last
 * @property {string | null} label what the page shows: the last that the operator did
 * @property {string} version that the next decision refers to
 * @property {number} waiting how many actions about it the server has not confirmed
 * @property {string} note why it is not as the operator wanted it
 */

/** Emits `change` with the ids of the faces that look different, or null where the list is another one. */
export class ReviewState extends EventTarget {
  /** @type {Map<string, Face>} */
  faces = new Map();
  /** @type {string[]} */
  order = [];
  /** @type {Map<string, Name>} */
  names = new Map();
  /** @type {Set<string>} */
  chosen = new Set();
  /** @type {Done[]} the newest last */
  history = [];
  /** @type {string[]} labels that were given last, the newest first */
  recent = [];
  cursor = "";
  /** how many faces without a label the server has beyond those of the list */
  beyond = 0;

  /** @param {FaceJson[]} faces @param {Done[]} history @param {number} total */
  load(faces, history, total) {
    this.faces = new Map(faces.map((json) => [json.id, createFace(json)]));
    this.order = faces.map((json) => json.id);
    this.history = history;
    this.beyond = total - faces.length;
    this.chosen.clear();
    this.cursor = this.order[0] ?? "";
    this.#emit(null);
  }

  /** @param {Record<string, Name>} names */
  learnNames(names) {
    for (const [label, name] of Object.entries(names)) this.names.set(label, name);
  }

  /** @param {string | null} label @returns {Name} */
  nameOf(label) {
    if (label === null) return { name: "", work: "" };
    if (label === NOT_A_FACE) return { name: say("not_a_face"), work: "" };
    if (label === REJECTED) return { name: say("rejected"), work: "" };
    return this.names.get(label) ?? { name: label, work: "" };
  }

  get current() {
    return this.faces.get(this.cursor) ?? null;
  }

  /** The faces that a key is about: the chosen ones, else the current one. */
  get targets() {
    if (this.chosen.size > 0) return this.order.filter((id) => this.chosen.has(id));
    return this.current ? [this.cursor] : [];
  }

  /** Whether the keys are about a report. */
  get isReport() {
    return this.faces.get(this.targets[0])?.confirmed.report !== undefined;
  }

  /** Faces that still need a label, those that the server keeps beyond the list included. */
  get left() {
    return this.beyond + this.order.filter((id) => this.faces.get(id)?.label === null).length;
  }

  /** The look-alikes of the current face, itself included, that have no label. */
  get group() {
    const { group, kind } = this.current?.confirmed ?? { group: "", kind: "" };
    const alike = (/** @type {string} */ id) => {
      const face = this.faces.get(id);
      return face?.label === null && face.confirmed.group === group && face.confirmed.kind === kind;
    };
    return group ? this.order.filter(alike) : [];
  }

  /** Five labels to take by digit: what the model says of the targets, then what was used last. */
  candidates() {
    /** @type {Map<string, number>} */
    const sums = new Map();
    const faces = this.targets.map((id) => /** @type {Face} */ (this.faces.get(id)));
    for (const { confirmed } of faces) {
      for (const [label, confidence] of confirmed.answers) {
        sums.set(label, (sums.get(label) ?? 0) + confidence / faces.length);
      }
    }
    /** @type {Candidate[]} */
    const found = [...sums].sort((a, b) => b[1] - a[1]).map(([label, confidence]) => ({ label, confidence }));
    const more = this.recent.filter((label) => !sums.has(label));
    return [...found, ...more.map((label) => ({ label, confidence: null }))].slice(0, CANDIDATES);
  }

  /**
   * Give faces, or reports, a label, and go on to the next one that has none.
   * @param {string[]} ids @param {string | null} label @param {Decision} [decision] of reports
   * @returns {LabelAction | null} to be sent
   */
  decide(ids, label, decision) {
    const faces = ids.filter((id) => this.faces.has(id) && this.faces.get(id)?.label !== this.#readWish(id, label, decision));
    if (faces.length === 0) return null;
    /** @type {LabelAction} */
    const action = { id: createToken(), kind: "label", label, faces: {}, ...(decision && { decision }) };
    /** @type {Record<string, string | null>} */
    const before = {};
    for (const id of faces) {
      const face = /** @type {Face} */ (this.faces.get(id));
      action.faces[id] = face.version;
      before[id] = face.label;
      this.#mark(face, this.#readWish(id, label, decision), action.id);
    }
    this.history.push({ id: action.id, faces, before, ...(decision && { reports: true }) });
    if (label && label !== NOT_A_FACE && label !== REJECTED) {
      this.recent = [label, ...this.recent.filter((other) => other !== label)].slice(0, 20);
    }
    const cleared = [...this.chosen];
    this.chosen.clear();
    this.#emit([...faces, ...cleared]);
    if (label !== null || decision === "accept") this.goTo(this.findOpen(faces[faces.length - 1]));
    return action;
  }

  /** The label that a decision gives: of a report that is accepted, the visitor's own. @param {string} id @param {string | null} label @param {Decision} [decision] */
  #readWish(id, label, decision) {
    const report = this.faces.get(id)?.confirmed.report;
    return decision === "accept" && report ? (report.meant ?? report.said) : label;
  }

  /** Take back the last own action. @returns {UndoAction | null} to be sent */
  undo() {
    const done = this.history.pop();
    if (!done) return null;
    /** @type {UndoAction} */
    const action = { id: createToken(), kind: "undo", undoes: done.id, faces: done.faces, ...(done.reports && { reports: true }) };
    const shown = done.faces.filter((id) => this.faces.has(id));
    for (const id of shown) {
      const face = /** @type {Face} */ (this.faces.get(id));
      this.#mark(face, done.before ? done.before[id] : face.label, action.id);
    }
    const cleared = [...this.chosen];
    this.chosen.clear();
    this.#emit([...shown, ...cleared]);
    if (shown.length > 0) this.goTo(shown[0]);
    return action;
  }

  /** Show again what an earlier page could not send. @param {Action} action */
  replay(action) {
    const entries = action.kind === "label" ? Object.entries(action.faces) : action.faces.map((id) => [id, ""]);
    for (const [id, seen] of entries) {
      const face = this.faces.get(id);
      if (!face || (action.kind === "label" && face.version !== seen)) continue;
      this.#mark(face, action.kind === "label" ? this.#readWish(id, action.label, action.decision) : face.label, action.id);
    }
    const { kind } = action;
    if (kind === "undo") this.history = this.history.filter(({ id }) => id !== action.undoes);
    else if (!this.history.some(({ id }) => id === action.id)) {
      this.history.push({ id: action.id, faces: Object.keys(action.faces), ...(action.decision && { reports: true }) });
    }
    this.#emit(null);
    this.goTo(this.findOpen(this.cursor));
  }

  /** The server has it. @param {Action} action @param {FaceJson[]} faces */
  confirm(action, faces) {
    let added = false;
    for (const json of faces) {
      const face = this.faces.get(json.id);
      if (face) this.#settle(face, json);
      else if (json.label === null) {
        this.faces.set(json.id, createFace(json));
        this.order.unshift(json.id);
        added = true;
      }
    }
    this.#emit(added ? null : faces.map(({ id }) => id));
    if (added && action.kind === "undo") this.goTo(faces[0].id);
  }

  /**
   * The server said no: show what it has.
   * @param {Action} action @param {string} reason @param {FaceJson[]} changed faces that are different there
   * @returns {string[]} faces of the action that are as the operator saw them
   */
  refuse(action, reason, changed) {
    const now = new Map(changed.map((json) => [json.id, json]));
    const ids = action.kind === "label" ? Object.keys(action.faces) : action.faces;
    /** @type {string[]} */
    const rest = [];
    for (const id of ids) {
      const face = this.faces.get(id);
      const json = now.get(id);
      if (!face) continue;
      this.#settle(face, json ?? face.confirmed);
      if (json) face.note = sayWho(json);
      else if (face.waiting === 0 && face.label === null) rest.push(id);
      if (!json && changed.length === 0) face.note = reason;
    }
    this.history = this.history.filter(({ id }) => id !== action.id);
    this.#emit(ids);
    return changed.length > 0 && action.kind === "label" ? rest : [];
  }

  /** @param {Face} face @param {FaceJson} json */
  #settle(face, json) {
    face.waiting = Math.max(0, face.waiting - 1);
    face.confirmed = json;
    if (face.waiting > 0) return;
    face.label = json.label;
    face.version = json.version;
  }

  /** @param {Face} face @param {string | null} label @param {string} version */
  #mark(face, label, version) {
    face.label = label;
    face.version = face.confirmed.report ? String(Number(face.version) + 1) : version;
    face.waiting += 1;
    face.note = "";
  }

  /** The next face without a label, after one and then from the start. @param {string} id */
  findOpen(id) {
    const start = this.order.indexOf(id) + 1;
    const turned = [...this.order.slice(start), ...this.order.slice(0, start)];
    return turned.find((other) => this.faces.get(other)?.label === null) ?? id;
  }

  /** @param {string} id */
  goTo(id) {
    if (!this.faces.has(id) || id === this.cursor) return;
    const before = this.cursor;
    this.cursor = id;
    this.#emit([before, id]);
  }

  /** @param {Iterable<string>} ids the faces that are chosen from now on */
  choose(ids) {
    const before = this.chosen;
    this.chosen = new Set([...ids].filter((id) => this.faces.has(id)));
    this.#emit([...before, ...this.chosen]);
  }

  /** @param {string} id */
  toggle(id) {
    if (!this.chosen.delete(id)) this.chosen.add(id);
    this.#emit([id]);
  }

  /** Every face from one to another. @param {string} from @param {string} to */
  between(from, to) {
    const [first, last] = [this.order.indexOf(from), this.order.indexOf(to)].sort((a, b) => a - b);
    return first < 0 ? [to] : this.order.slice(first, last + 1);
  }

  /** @param {string[] | null} ids */
  #emit(ids) {
    this.dispatchEvent(new CustomEvent("change", { detail: ids }));
  }
}

/** Who was faster. @param {FaceJson} json */
function sayWho({ operator, report }) {
  if (!operator) return say("changed_meanwhile");
  return report ? say("decided_by", { name: operator }) : say("labelled_by", { name: operator });
}

/** @param {FaceJson} json @returns {Face} */
function createFace(json) {
  return { confirmed: json, label: json.label, version: json.version, waiting: 0, note: "" };
}

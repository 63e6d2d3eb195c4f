/**
 * What the page knows: the picture, the faces in it, the answers, and how to go back a step.
 *
 * Answers are kept with the box they were given for. A face whose box has none is *stale* and shows its
 * last; it is fresh again when the move is undone: nothing has to be kept in step by hand.
 */

import { inReadingOrder, overlap, sameBox } from "../faces/geometry.js";

/** @typedef {import("../faces/geometry.js").Box} Box */
/** @typedef {import("./api.js").IdentifiedFace} IdentifiedFace */
/** @typedef {import("./api.js").Model} Model */
/** @typedef {{id: number, box: Box, drawn: boolean}} Face a box with an identity; `drawn`: a person made or moved it */
/** @typedef {{box: Box, face?: IdentifiedFace, error?: string}} Answer */

/** A detection that shares this much area with a face that a person placed is that face. */
const SAME_FACE_OVERLAP = 0.4;
/** Changes with the same tag that follow each other faster than this are one step of undo. */
const ONE_STEP_MS = 1000;
const MAX_STEPS = 200;

/** Emits `change` whenever anything in it has changed. */
export class PageState extends EventTarget {
  /** @type {import("../picture/picture.js").Picture | null} */
  picture = null;
  /** @type {readonly Face[]} */
  faces = [];
  /** @type {Model | null} */
  model = null;
  /** @type {Set<number>} ids of the faces that the server is being asked about */
  asking = new Set();
  /** @type {Set<number>} ids of the faces whose answer was reported as wrong */
  reported = new Set();

  /** @type {Map<number, Answer[]>} the answers to each face, the latest last */
  #answers = new Map();
  /** @type {(readonly Face[])[]} */
  #past = [];
  /** @type {(readonly Face[])[]} */
  #future = [];
  #lastStep = { tag: "", time: 0 };
  #nextId = 1;

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  /** Start over with a picture. @param {import("../picture/picture.js").Picture | null} picture */
  open(picture) {
    this.picture?.close();
    this.picture = picture;
    this.clear();
  }

  /** Forget the faces and all about them; the picture stays (another frame of it, say). */
  clear() {
    this.faces = [];
    this.#past = [];
    this.#future = [];
    this.#answers.clear();
    this.asking.clear();
    this.reported.clear();
    this.#changed();
  }

  /** Put faces back that were stashed. @param {readonly {box: Box, drawn: boolean}[]} faces */
  restore(faces) {
    this.faces = faces.map((face) => ({ ...face, id: this.#nextId++ }));
    this.#changed();
  }

  /**
   * Take the detector's boxes. Faces that a person drew or moved stay; so do ids of faces found again.
   * @param {readonly Box[]} boxes
   */
  takeDetected(boxes) {
    const kept = this.faces.filter((face) => face.drawn);
    const fresh = inReadingOrder(boxes)
      .filter((box) => !kept.some((face) => overlap(face.box, box) > SAME_FACE_OVERLAP))
      .map((box) => {
        const again = this.faces.find((face) => !face.drawn && sameBox(face.box, box));
        return again ?? { id: this.#nextId++, box, drawn: false };
      });
    const faces = [...fresh, ...kept];
    if (this.faces.length > 0 || this.canUndo) this.#step(faces, "detect");
    else this.faces = faces;
    this.#changed();
  }

  /** @param {Box} box @returns {number} the new face's id */
  add(box) {
    const id = this.#nextId++;
    this.#step([...this.faces, { id, box, drawn: true }]);
    this.#changed();
    return id;
  }

  /** @param {number} id @param {Box} box @param {string} [tag] groups presses of a key into one step */
  change(id, box, tag = "") {
    const before = this.face(id);
    if (!before || sameBox(before.box, box)) return;
    this.#step(
      this.faces.map((face) => (face.id === id ? { id, box, drawn: true } : face)),
      tag && `${tag}:${id}`,
    );
    this.#changed();
  }

  /** @param {number} id */
  remove(id) {
    if (!this.face(id)) return;
    this.#step(this.faces.filter((face) => face.id !== id));
    this.#changed();
  }

  undo() {
    this.#travel(this.#past, this.#future);
  }

  redo() {
    this.#travel(this.#future, this.#past);
  }

  /** @param {number} id */
  face(id) {
    return this.faces.find((face) => face.id === id);
  }

  /** The answer for the face's box as it is now, or else its last one. @param {Face} face */
  answer(face) {
    const answers = this.#answers.get(face.id);
    return answers?.find((answer) => sameBox(answer.box, face.box)) ?? answers?.at(-1);
  }

  /** True if the face has answers, but none for its box as it is now. @param {Face} face */
  isStale(face) {
    const answer = this.answer(face);
    return answer !== undefined && !sameBox(answer.box, face.box);
  }

  /** Faces without an answer for the box as it is now. */
  waiting() {
    return this.faces.filter((face) => !this.answer(face)?.face || this.isStale(face));
  }

  /** @param {readonly Face[]} faces */
  startAsking(faces) {
    this.asking = new Set(faces.map((face) => face.id));
    this.#changed();
  }

  stopAsking() {
    this.asking = new Set();
    this.#changed();
  }

  /** @param {Model} model @param {readonly Face[]} faces as asked @param {readonly IdentifiedFace[]} answers */
  takeAnswers(model, faces, answers) {
    this.model = model;
    faces.forEach((face, index) => {
      this.#keep(face, { box: face.box, face: answers[index] });
      this.reported.delete(face.id);
    });
    this.stopAsking();
  }

  /** @param {Face} face @param {string} error the sentence to show on its card */
  refuse(face, error) {
    this.#keep(face, { box: face.box, error });
    this.#changed();
  }

  /** @param {number} id @param {boolean} reported */
  markReported(id, reported) {
    if (reported) this.reported.add(id);
    else this.reported.delete(id);
    this.#changed();
  }

  /** @param {Face} face @param {Answer} answer */
  #keep(face, answer) {
    const others = this.#answers.get(face.id)?.filter((other) => !sameBox(other.box, answer.box));
    this.#answers.set(face.id, [...(others ?? []), answer]);
  }

  /** @param {readonly Face[]} faces @param {string} [tag] */
  #step(faces, tag = "") {
    const now = Date.now();
    const joins = tag !== "" && tag === this.#lastStep.tag && now - this.#lastStep.time < ONE_STEP_MS;
    if (!joins) this.#past = [...this.#past.slice(1 - MAX_STEPS), this.faces];
    this.#lastStep = { tag, time: now };
    this.#future = [];
    this.faces = faces;
  }

  /** @param {(readonly Face[])[]} from @param {(readonly Face[])[]} to */
  #travel(from, to) {
    const faces = from.pop();
    if (!faces) return;
    to.push(this.faces);
    this.faces = faces;
    this.#lastStep = { tag: "", time: 0 };
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

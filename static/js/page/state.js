/**
 * What the page knows: the picture, the faces in it, the answers, and how to go back a step.
 *
 * Answers are kept with the box they were given for. A face whose box has none is *stale* and shows its
 * last; it is fresh again when the move is undone: nothing has to be kept in step by hand.
 */

import { inReadingOrder, overlap, sameBox, turnBox } from "../faces/geometry.js";

/** @typedef {import("../faces/geometry.js").Box} Box */
/** @typedef {import("./api.js").IdentifiedFace} IdentifiedFace */
/** @typedef {import("./api.js").Model} Model */
/** @typedef {import("../picture/crops.js").FaceBox} FaceBox */
/** @typedef {{box: Box, roll: number, isWeak: boolean}} FoundFace what a detector found */
/**
 * @typedef {object} Face a box with an identity
 * @property {number} id
 * @property {Box} box
 * @property {number} roll how far the face leans clockwise, in degrees
 * @property {boolean} isWeak the detector is not sure of it
 * @property {boolean} drawn a person made or moved it
 */
/** @typedef {{box: Box, face?: IdentifiedFace, error?: string, old?: true}} Answer `old`: what it is made of has changed since */
/**
 * All that is known of a picture's faces, as plain data.
 * @typedef {object} SavedFaces
 * @property {readonly Face[]} faces
 * @property {(readonly Face[])[]} past
 * @property {(readonly Face[])[]} future
 * @property {[number, Answer[]][]} answers
 * @property {[number, Box][]} reported
 * @property {Model | null} model
 */

/** A face's box with its roll: what a crop is cut by. @param {Pick<Face, "box" | "roll">} face @returns {FaceBox} */
export const faceBox = ({ box, roll }) => ({ ...box, roll });

/** A quarter more, -180 to 180. @param {number} roll */
const turnRoll = (roll) => (roll > 90 ? roll - 270 : roll + 90);

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
  /** @type {Map<number, Answer[]>} the answers to each face, the latest last */
  #answers = new Map();
  /** @type {Map<number, Box>} the box of each face whose answer was reported as wrong */
  #reported = new Map();
  /** @type {(readonly Face[])[]} */
  #past = [];
  /** @type {(readonly Face[])[]} */
  #future = [];
  #lastStep = { tag: "", time: 0 };
  /** No face of an earlier page has it either: saved faces keep their ids. */
  #nextId = Date.now();

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
    this.#reported.clear();
    this.#changed();
  }

  /** @returns {SavedFaces} */
  save() {
    return {
      faces: this.faces,
      past: [...this.#past],
      future: [...this.#future],
      answers: [...this.#answers],
      reported: [...this.#reported],
      model: this.model,
    };
  }

  /** Put back what was saved of the picture that is open. @param {SavedFaces} saved */
  resume(saved) {
    this.faces = saved.faces;
    this.#past = [...saved.past];
    this.#future = [...saved.future];
    this.#answers = new Map(saved.answers);
    this.#reported = new Map(saved.reported.filter(Array.isArray)); // earlier pages kept ids alone
    this.model = saved.model;
    this.#changed();
  }

  /**
   * Take the detector's boxes. Faces that a person drew or moved stay; so do ids of faces found again.
   * @param {readonly FoundFace[]} found
   */
  takeDetected(found) {
    const kept = this.faces.filter((face) => face.drawn);
    const fresh = inReadingOrder(found.map(({ box }) => box))
      .filter((box) => !kept.some((face) => overlap(face.box, box) > SAME_FACE_OVERLAP))
      .map((box) => {
        const again = this.faces.find((face) => !face.drawn && sameBox(face.box, box));
        const one = found.find((each) => each.box === box) ?? { roll: 0, isWeak: false };
        return again ?? { ...one, id: this.#nextId++, box, drawn: false };
      });
    const faces = [...fresh, ...kept];
    if (this.faces.length > 0 || this.canUndo) this.#step(faces, "detect");
    else this.faces = faces;
    this.#changed();
  }

  /**
   * The picture was turned a quarter clockwise: boxes that a person drew or moved turn with it.
   * @param {import("../faces/geometry.js").Size} size of the picture before
   */
  turn(size) {
    const drawn = this.faces.filter((face) => face.drawn);
    this.clear();
    this.faces = drawn.map(({ box, roll, isWeak }) => {
      return { id: this.#nextId++, box: turnBox(box, size), roll: turnRoll(roll), isWeak, drawn: true };
    });
    this.#changed();
  }

  /** @param {Box} box @returns {number} the new face's id */
  add(box) {
    const id = this.#nextId++;
    this.#step([...this.faces, { id, box, roll: 0, isWeak: false, drawn: true }]);
    this.#changed();
    return id;
  }

  /** @param {number} id @param {Box} box @param {string} [tag] groups presses of a key into one step */
  change(id, box, tag = "") {
    const before = this.face(id);
    if (!before || sameBox(before.box, box)) return;
    this.#step(
      this.faces.map((face) => (face.id === id ? { ...face, box, isWeak: false, drawn: true } : face)),
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

  /** Faces without an answer for the box as it is now, or with an old one. */
  waiting() {
    return this.faces.filter((face) => {
      const answer = this.answer(face);
      return !answer?.face || answer.old || this.isStale(face);
    });
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
      const { error } = answers[index];
      this.#keep(face, error ? { box: face.box, error: error.detail } : { box: face.box, face: answers[index] });
    });
    this.stopAsking();
  }

  /** @param {Face} face @param {string} error the sentence to show on its card */
  refuse(face, error) {
    this.#keep(face, { box: face.box, error });
    this.#changed();
  }

  /** @param {Face} face as it was reported @param {boolean} reported */
  markReported(face, reported) {
    if (reported) this.#reported.set(face.id, face.box);
    else if (this.isReported(face)) this.#reported.delete(face.id);
    this.#changed();
  }

  /** Whether the answer for the face's box as it is now was reported as wrong. @param {Face} face */
  isReported(face) {
    const box = this.#reported.get(face.id);
    return box !== undefined && sameBox(box, face.box);
  }

  /** What answers are made of has changed: they are shown until there are new ones, which all faces wait for. */
  markAnswersOld() {
    for (const [id, answers] of this.#answers) {
      this.#answers.set(id, answers.map((answer) => ({ ...answer, old: true })));
    }
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

/**
 * Faces of one look after the other → tracks: the same face through time, with one steady name.
 *
 * Nothing here knows the DOM, the detector or the server. Times are milliseconds of any clock that
 * only goes forward; boxes are in pixels of the playing picture.
 */

import { overlap } from "../faces/geometry.js";

/** @typedef {import("../faces/geometry.js").Box} Box */
/** @typedef {import("../page/api.js").IdentifiedFace} IdentifiedFace */
/** @typedef {import("../page/api.js").Verdict} Verdict */
/** @typedef {{verdict: Verdict, label: string, name: string, work: string, confidence: number, mine: boolean}} SteadyName `mine`: this browser was taught it */
/**
 * @typedef {object} Track
 * @property {number} id
 * @property {Box} box where the face is shown
 * @property {Box} found where it was found last, for the crop
 * @property {number} looks in which it was found
 * @property {number} missed looks since then
 * @property {number} seenAt when it was found last
 * @property {number} askedAt when the server was asked last
 * @property {boolean} asking
 * @property {IdentifiedFace[]} answers the latest last
 * @property {SteadyName | null} name
 */

/** A box that shares this much with a track's last one is the same face. */
const MIN_OVERLAP = 0.25;
/** Without that it is, if it is about as large and no farther than this many of its sides. */
const MAX_LEAP = 0.75;
const MAX_GROWTH = 1.6;
/** One find alone may be a mistake of the detector. */
const LOOKS_TO_SHOW = 2;
/** A face that is not found is shown for one look more, or for this long. */
const LINGER_MS = 500;
/** … and found again within this time it is still the same. */
const REMEMBER_MS = 1500;
/** Share of a new box in the one that is shown; the detector's boxes tremble by a few pixels. */
const FRESH_SHARE = 0.65;

/** Confidences are averaged over this many answers. */
const ANSWERS_KEPT = 8;
/** Time from one question about a face to the next; the last stands for all further ones. */
const ASK_AGAIN_MS = [0, 400, 400, 800, 1500, 3000];
/** Another name has to lead by this much before it takes the place of the one that is shown. */
const NAME_LEAD = 0.1;
/** A verdict is taken up, and given up, at this share of answers that are as sure. */
const SURE_FROM = 0.5;
const SURE_UNTIL = 0.35;
/** @type {readonly Verdict[]} the surest first */
const VERDICTS = ["known", "probably", "unknown"];

/** Mean change of a small copy of the frame (RGBA, 0 to 255), above which it is another scene. */
const CUT_CHANGE = 22;
/** Two scenes that are equally bright: with this much change, and this little in common. */
const QUIET_CUT_CHANGE = 5;
const QUIET_CUT_CORRELATION = 0.4;

/** The faces of a playing picture. */
export class FaceTracks {
  /** @type {Track[]} */
  #tracks = [];
  #nextId = 1;

  /**
   * Take in what one look at the picture found.
   * @param {readonly Box[]} boxes @param {number} now
   */
  takeLook(boxes, now) {
    const pairs = pairUp(this.#tracks, boxes);
    for (const track of this.#tracks) {
      const box = pairs.get(track);
      if (!box) {
        track.missed += 1;
        continue;
      }
      const still = track.missed === 0 && overlap(track.found, box) > 0.5;
      track.box = still ? mixBoxes(track.box, box, FRESH_SHARE) : box;
      Object.assign(track, { found: box, looks: track.looks + 1, missed: 0, seenAt: now });
    }
    this.#tracks = this.#tracks.filter((track) => track.missed < 2 || now - track.seenAt <= REMEMBER_MS);
    const taken = new Set(pairs.values());
    for (const box of boxes) if (!taken.has(box)) this.#begin(box, now);
  }

  /** The tracks that the last look has found. */
  get found() {
    return this.#tracks.filter(({ missed }) => missed === 0);
  }

  /** The tracks to show, the oldest first. @param {number} now */
  visible(now) {
    return this.#tracks.filter(
      ({ looks, missed, seenAt }) => looks >= LOOKS_TO_SHOW && (missed < 2 || now - seenAt <= LINGER_MS),
    );
  }

  /**
   * The tracks that the server should be asked about, those with the fewest answers first. Only faces
   * that the last look has found: a crop of another place would be of nobody. A new face is asked about
   * before it is shown, so that it is shown with its name.
   * @param {number} now @param {number} limit
   */
  toAsk(now, limit) {
    const due = (/** @type {Track} */ { answers, askedAt }) =>
      answers.length === 0 || now - askedAt >= ASK_AGAIN_MS[Math.min(answers.length, ASK_AGAIN_MS.length - 1)];
    return this.#tracks
      .filter((track) => track.missed === 0 && !track.asking && due(track))
      .sort((a, b) => a.answers.length - b.answers.length || a.askedAt - b.askedAt || a.id - b.id)
      .slice(0, limit);
  }

  /** @param {readonly Track[]} tracks @param {number} now */
  startAsking(tracks, now) {
    for (const track of tracks) Object.assign(track, { asking: true, askedAt: now });
  }

  /** @param {readonly Track[]} tracks as asked @param {readonly IdentifiedFace[]} [answers] none came without it */
  takeAnswers(tracks, answers = []) {
    tracks.forEach((track, index) => {
      track.asking = false;
      if (!answers[index] || answers[index].error) return;
      track.answers = [...track.answers, answers[index]].slice(-ANSWERS_KEPT);
      track.name = settleName(track.answers, track.name);
    });
  }

  /** Another scene: nobody of the last one is known to be in it. */
  clear() {
    this.#tracks = [];
  }

  /** @param {Box} box @param {number} now */
  #begin(box, now) {
    this.#tracks.push({
      id: this.#nextId++,
      box,
      found: box,
      looks: 1,
      missed: 0,
      seenAt: now,
      askedAt: 0,
      asking: false,
      answers: [],
      name: null,
    });
  }
}

/**
 * Which box continues which track: the pairs that share most first, each track and box once.
 * @param {readonly Track[]} tracks @param {readonly Box[]} boxes @returns {Map<Track, Box>}
 */
function pairUp(tracks, boxes) {
  const candidates = tracks
    .flatMap((track) => boxes.map((box) => ({ track, box, score: likeness(track.found, box) })))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score);
  /** @type {Map<Track, Box>} */
  const pairs = new Map();
  const taken = new Set();
  for (const { track, box } of candidates) {
    if (pairs.has(track) || taken.has(box)) continue;
    pairs.set(track, box);
    taken.add(box);
  }
  return pairs;
}

/**
 * How likely two boxes of neighbouring looks hold the same face: their overlap, or, for a fast
 * movement, a little, the less the farther. 0: somebody else.
 * @param {Box} a @param {Box} b
 */
export function likeness(a, b) {
  const shared = overlap(a, b);
  if (shared >= MIN_OVERLAP) return shared;
  const side = (a.width + a.height + b.width + b.height) / 4;
  const growth = (a.width + a.height) / (b.width + b.height);
  if (growth > MAX_GROWTH || growth < 1 / MAX_GROWTH) return 0;
  const dx = a.x + a.width / 2 - b.x - b.width / 2;
  const dy = a.y + a.height / 2 - b.y - b.height / 2;
  const leap = Math.hypot(dx, dy) / side;
  return leap < MAX_LEAP ? MIN_OVERLAP * (1 - leap / MAX_LEAP) : 0;
}

/** @param {Box} before @param {Box} after @param {number} share of `after` @returns {Box} */
export function mixBoxes(before, after, share) {
  const mix = (/** @type {"x" | "y" | "width" | "height"} */ key) =>
    before[key] + share * (after[key] - before[key]);
  return { x: mix("x"), y: mix("y"), width: mix("width"), height: mix("height") };
}

/**
 * One name from several answers: the label with the largest mean confidence. The name that is shown stays
 * while no other leads clearly; how sure it is, most of the answers say.
 * @param {readonly IdentifiedFace[]} answers at least one @param {SteadyName | null} shown
 * @returns {SteadyName}
 */
export function settleName(answers, shown) {
  /** @type {Map<string, {name: string, work: string, confidence: number, mine: boolean}>} */
  const means = new Map();
  for (const { label, name, work, confidence, mine = false } of answers.flatMap((answer) => answer.answers)) {
    const before = means.get(label)?.confidence ?? 0;
    means.set(label, { name, work, confidence: before + confidence / answers.length, mine });
  }
  let best = "";
  for (const [label, { confidence }] of means) {
    if (confidence > (means.get(best)?.confidence ?? -1)) best = label;
  }
  const kept = shown && means.get(shown.label);
  if (kept && (means.get(best)?.confidence ?? 0) < kept.confidence + NAME_LEAD) best = shown.label;
  const said = means.get(best) ?? { name: "", work: "", confidence: 0, mine: false };
  return { verdict: best ? settleVerdict(answers, shown) : "unknown", label: best, ...said };
}

/**
 * The surest verdict that enough answers give, or one that is surer.
 * @param {readonly IdentifiedFace[]} answers @param {SteadyName | null} shown
 */
function settleVerdict(answers, shown) {
  const ranks = answers.map(({ verdict }) => VERDICTS.indexOf(verdict));
  const shownRank = VERDICTS.indexOf(shown?.verdict ?? "unknown");
  const rank = VERDICTS.findIndex((_, least) => {
    const share = ranks.filter((each) => each <= least).length / ranks.length;
    return share >= (shownRank <= least ? SURE_UNTIL : SURE_FROM);
  });
  return VERDICTS[rank];
}

/**
 * Whether two frames, as small copies of equal size (RGBA), are of different scenes: they differ much, or
 * where one is light says little of where the other is.
 * @param {ArrayLike<number>} before @param {ArrayLike<number>} after
 */
export function isCut(before, after) {
  if (before.length !== after.length || after.length === 0) return false;
  let sum = 0;
  for (let index = 0; index < after.length; index += 1) sum += Math.abs(after[index] - before[index]);
  const change = sum / after.length;
  if (change <= QUIET_CUT_CHANGE) return false;
  return change > CUT_CHANGE || correlation(readLight(before), readLight(after)) < QUIET_CUT_CORRELATION;
}

/** How light each pixel is: red, green and blue added up. @param {ArrayLike<number>} rgba */
function readLight(rgba) {
  const pixels = Array.from({ length: rgba.length / 4 }, (_, index) => 4 * index);
  return pixels.map((at) => rgba[at] + rgba[at + 1] + rgba[at + 2]);
}

/** Pearson's; 1 where one of the two has a single value. @param {number[]} a @param {number[]} b */
function correlation(a, b) {
  const mean = (/** @type {number[]} */ values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [both, squaresA, squaresB] = [0, 0, 0];
  a.forEach((value, index) => {
    both += (value - meanA) * (b[index] - meanB);
    squaresA += (value - meanA) ** 2;
    squaresB += (b[index] - meanB) ** 2;
  });
  return squaresA && squaresB ? both / Math.sqrt(squaresA * squaresB) : 1;
}

/**
 * Scale a box from a smaller copy of a part of a picture up to the picture itself.
 * @param {Box} box @param {number} scale @param {{x: number, y: number}} part where the part begins @returns {Box}
 */
export function scaleBox(box, scale, part) {
  return {
    x: part.x + Math.round(box.x * scale),
    y: part.y + Math.round(box.y * scale),
    width: Math.round(box.width * scale),
    height: Math.round(box.height * scale),
  };
}

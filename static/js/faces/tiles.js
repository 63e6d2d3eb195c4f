/**
 * The geometry of the face network's looks at a picture, apart from OpenCV and the DOM.
 *
 * A picture is cut into *tiles* where it is much longer than wide or wider than long; each tile is looked at
 * in several sizes, filled up to the network's multiple of pixels. What the network says becomes *candidates*
 * in source pixels, and one is left a face. `kyara/vision/detectors/tiles.py` is the same, step by step.
 */

import { turnBox } from "./geometry.js";

/** @typedef {{x: number, y: number, width: number, height: number}} Tile a part of the picture, in its pixels */
/**
 * @typedef {object} TileView a tile scaled to `width` × `height` and filled up, right and below
 * @property {Tile} tile
 * @property {number} scale
 * @property {number} width
 * @property {number} height
 * @property {number} paddedWidth
 * @property {number} paddedHeight
 */
/**
 * @typedef {object} FaceCandidate a box that may hold a face, in source pixels
 * @property {number} x of its middle
 * @property {number} y of its middle
 * @property {number} width
 * @property {number} height
 * @property {number} score 0 to 1
 * @property {number[]} eyes x and y of both
 */

/**
 * @typedef {object} FoundFace
 * @property {import("./geometry.js").Box} box
 * @property {number} score
 * @property {number[]} [eyes]
 * @property {number} [roll] how far it leans clockwise, in degrees: what the picture was turned by to find it, and what its
 *   eyes add to that
 * @property {boolean} [isSurest] it is a still picture's surest face, and is shown at every level
 */
/**
 * @typedef {object} EyeSettings how a face is shown to the eye network, and which of its answers are told
 * @property {number} side_px of its input
 * @property {number} margin side of what it sees relative to the tight face
 * @property {number} most_error that it may expect of its answer, in sides of its input
 * @property {number} from_deg the least lean that is told
 */

export const CELL_PX = 8;
const SIDE_MULTIPLE_PX = 32;
/** Scores below are not told apart in a second look. */
export const LEAST_AGAIN = 0.01;
const CHANNELS = 9;
const LARGEST_LOG_SIDE = 6;
/** A turned picture's best face has a score that is higher by so much. */
const SURER_IF_TURNED = 0.1;

/** @param {readonly FoundFace[]} faces */
const findBest = (faces) => faces.reduce((best, { score }) => Math.max(best, score), 0);

/**
 * Search a still picture, and turned by quarters if no face of it is sure; tell which is the surest.
 * @param {{width: number, height: number}} size of the picture
 * @param {(quarters: number) => FoundFace[]} search the picture turned so far counter-clockwise
 * @param {{thresholds: number[], default_level: number, plays_level?: number, surest_level?: number}} network
 * @param {(faces: FoundFace[], quarters: number) => FoundFace[]} complete what else there is to say of the faces that are told
 * @returns {FoundFace[]}
 */
export function searchTurned(size, search, network, complete) {
  const { thresholds, plays_level: level = network.default_level, surest_level: surest } = network;
  let [found, quarters] = [search(0), 0];
  const best = findBest(found);
  let least = Math.max(thresholds[level] ?? 1, best + SURER_IF_TURNED);
  for (const turn of best >= (thresholds[0] ?? 1) ? [] : [1, 2, 3]) {
    const turned = search(turn);
    if (findBest(turned) < least) continue;
    [least, found, quarters] = [findBest(turned), turned, turn];
  }
  const surestFrom = Math.max(findBest(found), (surest !== undefined && thresholds[surest]) || 1);
  const told = complete(found, quarters).map((face) => (face.score < surestFrom ? face : { ...face, isSurest: true }));
  return quarters ? told.map((face) => turnBack(face, size, quarters)).sort(largestFirst) : told;
}

/** @param {FoundFace} face @param {{width: number, height: number}} size of the picture @param {number} quarters @returns {FoundFace} */
function turnBack(face, { width, height }, quarters) {
  let { box, eyes } = face;
  const { roll = 0 } = face;
  let size = quarters === 2 ? { width, height } : { width: height, height: width };
  for (let turn = 0; turn < quarters; turn += 1) {
    box = turnBox(box, size);
    const { height: high } = size;
    if (eyes) eyes = [0, 2].flatMap((at) => [high - (eyes?.[at + 1] ?? 0), eyes?.[at] ?? 0]);
    size = { width: size.height, height: size.width };
  }
  return { ...face, box, ...(eyes && { eyes }), roll: ((quarters * 90 + roll + 180) % 360) - 180 };
}

/** @param {FoundFace} a @param {FoundFace} b */
const largestFirst = ({ box: a }, { box: b }) => b.width * b.height - a.width * a.height || a.y - b.y || a.x - b.x;

/** @param {number} value */
const round = (value) => Math.floor(value + 0.5);

/**
 * Cut a picture into tiles, top to bottom or left to right.
 * @param {number} width @param {number} height of the picture
 * @param {number} longestRatio a tile's longer side is at most so many times its shorter one
 * @param {number} overlap of neighbouring tiles, as a share of the shorter side
 * @returns {Tile[]}
 */
export function cutTiles(width, height, longestRatio, overlap) {
  const shorter = Math.min(width, height);
  const longer = Math.max(width, height);
  const length = Math.floor(shorter * longestRatio);
  if (longer <= length) return [{ x: 0, y: 0, width, height }];
  const step = length - Math.floor(shorter * overlap);
  const count = Math.ceil((longer - length) / step) + 1;
  const starts = Array.from({ length: count }, (_, index) => Math.min(index * step, longer - length));
  if (height >= width) return starts.map((y) => ({ x: 0, y, width, height: length }));
  return starts.map((x) => ({ x, y: 0, width: length, height }));
}

/**
 * One look at a tile; a small one is enlarged `mostEnlarged` times at most.
 * @param {Tile} tile @param {number} longestSide in pixels @param {number} mostEnlarged @returns {TileView}
 */
export function planTileView(tile, longestSide, mostEnlarged) {
  const scale = Math.min(longestSide / Math.max(tile.width, tile.height), mostEnlarged);
  const width = Math.max(1, round(tile.width * scale));
  const height = Math.max(1, round(tile.height * scale));
  const fill = (/** @type {number} */ side) => Math.ceil(side / SIDE_MULTIPLE_PX) * SIDE_MULTIPLE_PX;
  return { tile, scale, width, height, paddedWidth: fill(width), paddedHeight: fill(height) };
}

/**
 * A look at one candidate and what is around it.
 * @param {FaceCandidate} candidate @param {{width: number, height: number}} picture
 * @param {{face_px: number, side_px: number}} look the candidate's longer side as the network will see it, and the most of all
 * @returns {TileView}
 */
export function planSecondLook(candidate, picture, { face_px: face, side_px: side }) {
  const scale = face / Math.max(candidate.width, candidate.height);
  const reach = side / scale / 2;
  const x = Math.max(0, Math.ceil(candidate.x - reach));
  const y = Math.max(0, Math.ceil(candidate.y - reach));
  const right = Math.max(x + 1, Math.min(Math.floor(candidate.x + reach), picture.width));
  const bottom = Math.max(y + 1, Math.min(Math.floor(candidate.y + reach), picture.height));
  const tile = { x, y, width: right - x, height: bottom - y };
  return planTileView(tile, scale * Math.max(tile.width, tile.height), Infinity);
}

/**
 * The candidate with the score that two looks give it: the mean of their logits.
 * @param {FaceCandidate} candidate @param {FaceCandidate[]} seen in the second look; if none is in the candidate's place, its
 *   second score is LEAST_AGAIN
 * @returns {FaceCandidate}
 */
export function joinLooks(candidate, seen) {
  const again = seen
    .filter((face) => isInPlace(face, candidate))
    .reduce((best, { score }) => Math.max(best, score), LEAST_AGAIN);
  const logit = (toLogit(candidate.score) + toLogit(again)) / 2;
  return { ...candidate, score: 1 / (1 + Math.exp(-logit)) };
}

/** @param {FaceCandidate} face @param {FaceCandidate} candidate */
function isInPlace(face, candidate) {
  const side = Math.max(candidate.width, candidate.height);
  const larger = Math.max(face.width, face.height) / side;
  return Math.hypot(face.x - candidate.x, face.y - candidate.y) < 0.35 * side && larger > 0.5 && larger < 2;
}

/** @param {number} score */
const toLogit = (score) => Math.log(score / (1 - score));

/**
 * Find the peaks of the network's map.
 * @param {Float32Array} map channel after channel, `4 * CHANNELS` of `rows` × `columns`
 * @param {number} rows @param {number} columns @param {TileView} view @param {number} floor least score
 * @returns {FaceCandidate[]}
 */
export function readCells(map, rows, columns, view, floor) {
  const plane = rows * columns;
  /** A cell of stride 8. @param {number} channel @param {number} row @param {number} column */
  const read = (channel, row, column) => {
    const quarter = (row % 2) * 2 + (column % 2);
    return map[(quarter * CHANNELS + channel) * plane + (row >> 1) * columns + (column >> 1)] ?? -Infinity;
  };
  const least = toLogit(floor);
  /** @param {number} row @param {number} column @param {number} logit */
  const isPeak = (row, column, logit) => {
    for (let y = Math.max(0, row - 1); y <= Math.min(rows * 2 - 1, row + 1); y += 1) {
      for (let x = Math.max(0, column - 1); x <= Math.min(columns * 2 - 1, column + 1); x += 1) {
        if (read(0, y, x) > logit) return false;
      }
    }
    return true;
  };
  /** @type {FaceCandidate[]} */
  const found = [];
  for (let row = 0; row < rows * 2; row += 1) {
    for (let column = 0; column < columns * 2; column += 1) {
      const logit = read(0, row, column);
      if (logit >= least && isPeak(row, column, logit)) {
        const candidate = readCandidate((channel) => read(channel, row, column), row, column, view);
        if (candidate) found.push({ ...candidate, score: 1 / (1 + Math.exp(-logit)) });
      }
    }
  }
  return found;
}

/**
 * @param {(channel: number) => number} read @param {number} row @param {number} column @param {TileView} view
 * @returns {Omit<FaceCandidate, "score"> | null} nothing where the middle lies outside the picture
 */
function readCandidate(read, row, column, view) {
  const x = (column + 0.5 + read(1)) * CELL_PX;
  const y = (row + 0.5 + read(2)) * CELL_PX;
  if (!(x >= 0 && y >= 0 && x < view.width && y < view.height)) return null;
  const width = Math.exp(Math.min(read(3), LARGEST_LOG_SIDE)) * CELL_PX;
  const height = Math.exp(Math.min(read(4), LARGEST_LOG_SIDE)) * CELL_PX;
  const across = view.tile.width / view.width;
  const down = view.tile.height / view.height;
  const { x: left, y: top } = view.tile;
  return {
    x: x * across + left,
    y: y * down + top,
    width: width * across,
    height: height * down,
    eyes: [5, 7].flatMap((channel) => [
      (x + read(channel) * width) * across + left,
      (y + read(channel + 1) * height) * down + top,
    ]),
  };
}

/**
 * One candidate a face: the highest score leads, every other that overlaps it goes.
 * @param {FaceCandidate[]} candidates of all views
 * @param {{overlap: number, inside: number}} limits largest intersection over union of two faces, and over
 *   the smaller area
 * @returns {FaceCandidate[]} the highest score first
 */
export function chooseCandidates(candidates, limits) {
  const sorted = [...candidates].sort((a, b) => b.score - a.score || a.y - b.y || a.x - b.x || a.width - b.width);
  /** @type {FaceCandidate[]} */
  const leaders = [];
  for (const candidate of sorted) {
    if (!leaders.some((leader) => isSame(leader, candidate, limits))) leaders.push(candidate);
  }
  return leaders;
}

/** @param {FaceCandidate} a @param {FaceCandidate} b @param {{overlap: number, inside: number}} limits */
function isSame(a, b, { overlap, inside }) {
  const width = Math.min(a.x + a.width / 2, b.x + b.width / 2) - Math.max(a.x - a.width / 2, b.x - b.width / 2);
  const height = Math.min(a.y + a.height / 2, b.y + b.height / 2) - Math.max(a.y - a.height / 2, b.y - b.height / 2);
  if (width <= 0 || height <= 0) return false;
  const shared = width * height;
  const first = a.width * a.height;
  const second = b.width * b.height;
  return shared > overlap * (first + second - shared) || shared > inside * Math.min(first, second);
}

/**
 * The boxes that people see: whole pixels inside the picture, not tiny, the surest few.
 * @param {FaceCandidate[]} candidates one a face @param {number} width @param {number} height of the picture
 * @param {{min_box_px: number, max_boxes: number, tells_eyes: boolean}} limits @returns {FoundFace[]} the largest first
 */
export function chooseFaces(candidates, width, height, limits) {
  const place = (/** @type {number} */ value, /** @type {number} */ most) => Math.min(Math.max(0, round(value)), most);
  return candidates
    .map((candidate) => {
      const left = place(candidate.x - candidate.width / 2, width);
      const right = place(candidate.x + candidate.width / 2, width);
      const top = place(candidate.y - candidate.height / 2, height);
      const bottom = place(candidate.y + candidate.height / 2, height);
      const box = { x: left, y: top, width: right - left, height: bottom - top };
      return { box, score: candidate.score, ...(limits.tells_eyes && { eyes: candidate.eyes }) };
    })
    .filter(({ box }) => Math.min(box.width, box.height) >= limits.min_box_px)
    .sort((a, b) => b.score - a.score)
    .slice(0, limits.max_boxes)
    .sort(largestFirst);
}

/**
 * What the eye network sees of a face, and how much of that lies outside the picture.
 * @param {import("./geometry.js").Box} box the tight face @param {number} margin
 * @param {number} width @param {number} height of the picture
 */
export function planEyeView(box, margin, width, height) {
  const side = Math.max(1, round(Math.max(box.width, box.height) * margin));
  const [x, y] = [round(box.x + (box.width - side) / 2), round(box.y + (box.height - side) / 2)];
  const window = { x, y, width: side, height: side };
  const [above, left] = [Math.max(0, -window.y), Math.max(0, -window.x)];
  const below = Math.max(0, window.y + window.height - height);
  const right = Math.max(0, window.x + window.width - width);
  const inside = {
    x: window.x + left,
    y: window.y + above,
    width: window.width - left - right,
    height: window.height - above - below,
  };
  return { window, inside, above, below, left, right };
}

/**
 * Eyes in source pixels, the one further left in an upright face first, and how far the face leans.
 * @param {Float32Array} said x and y of both from the window's middle, in its sides, and the logarithm of their expected error
 * @param {import("./geometry.js").Box} window @param {EyeSettings} settings
 * @returns {{eyes?: number[], roll?: number}} nothing where the network is not sure enough
 */
export function readEyes([x1 = 0, y1 = 0, x2 = 0, y2 = 0, logError = Infinity], window, settings) {
  if (Math.exp(logError) > settings.most_error) return {};
  const across = (/** @type {number} */ x) => window.x + window.width / 2 + x * window.width;
  const down = (/** @type {number} */ y) => window.y + window.height / 2 + y * window.height;
  const roll = (Math.atan2(down(y2) - down(y1), across(x2) - across(x1)) * 180) / Math.PI;
  return { eyes: [across(x1), down(y1), across(x2), down(y2)], roll: Math.abs(roll) >= settings.from_deg ? roll : 0 };
}

/**
 * The geometry of face proposals, apart from OpenCV and the DOM.
 *
 * A picture is looked at in several *views*: scaled, padded on every side, and turned about its
 * middle. Windows found in a view are mapped back to *candidates* in source pixels, candidates of
 * all views are merged, and what is left becomes boxes. `kyara/vision/detectors/` has the same, step by step,
 * and both read `static/detector.json`.
 */

/** @typedef {import("./geometry.js").Box} Box */
/**
 * @typedef {object} Level
 * @property {number[]} longest_sides_px sizes in which the picture is looked at
 * @property {number} min_window_px smallest window, in pixels of the view
 * @property {number} neighbours the cascade's own grouping keeps groups of more windows than this
 * @property {number} votes fewest windows, of all views together, that make a box
 */
/**
 * @typedef {object} Settings
 * @property {{share: number, value: number}} padding share of the scaled picture's own width and height
 * @property {boolean} equalise
 * @property {number[]} angles_deg counter-clockwise
 * @property {number} scale_factor
 * @property {number} min_box_px in source pixels
 * @property {number} box_scale side of a box relative to the tight face
 * @property {{overlap: number, inside: number}} merge
 * @property {number} max_boxes
 * @property {number} default_level
 * @property {Level[]} levels from fewer faces to more
 * @property {Level} live for a picture that plays: one small size, so that it is quick
 */
/**
 * @typedef {object} View
 * @property {number} scale view pixels per source pixel
 * @property {number} width of the scaled picture
 * @property {number} height of the scaled picture
 * @property {number} padX
 * @property {number} padY
 * @property {number} turnedWidth of what the cascade sees
 * @property {number} turnedHeight of what the cascade sees
 * @property {number} cos
 * @property {number} sin
 */
/** @typedef {{x: number, y: number, size: number}} Window a square, by its top left corner, in view pixels */
/** @typedef {{x: number, y: number, size: number, votes: number, rank: number}} Candidate
 * a square, by its middle, in source pixels; `rank`: the position of its view in the plan */

/** Round half up, as `floor(x + 0.5)` does in Python. @param {number} value */
const round = (value) => Math.floor(value + 0.5);

/** Round to a multiple of 2⁻²⁰: libraries' sines differ in the last bit. @param {number} value */
const steady = (value) => round(value * 2 ** 20) / 2 ** 20;

/**
 * Every view of one level: all sizes, and in each size all angles.
 * @param {number} width @param {number} height of the source picture
 * @param {Settings} settings @param {Level} level @returns {View[]}
 */
export function planViews(width, height, settings, level) {
  return level.longest_sides_px.flatMap((side) =>
    settings.angles_deg.map((angle) => planView(width, height, side, settings.padding.share, angle)),
  );
}

/**
 * @param {number} sourceWidth @param {number} sourceHeight @param {number} longestSide in view pixels
 * @param {number} paddingShare @param {number} angle in degrees, counter-clockwise
 * @returns {View}
 */
function planView(sourceWidth, sourceHeight, longestSide, paddingShare, angle) {
  const scale = longestSide / Math.max(sourceWidth, sourceHeight);
  const width = Math.max(1, round(sourceWidth * scale));
  const height = Math.max(1, round(sourceHeight * scale));
  const padX = round(width * paddingShare);
  const padY = round(height * paddingShare);
  const cos = steady(Math.cos((angle * Math.PI) / 180));
  const sin = steady(Math.sin((angle * Math.PI) / 180));
  const fullWidth = width + 2 * padX;
  const fullHeight = height + 2 * padY;
  return {
    scale,
    width,
    height,
    padX,
    padY,
    turnedWidth: round(fullWidth * Math.abs(cos) + fullHeight * Math.abs(sin)),
    turnedHeight: round(fullWidth * Math.abs(sin) + fullHeight * Math.abs(cos)),
    cos,
    sin,
  };
}

/**
 * The 2×3 matrix, row by row, that turns the padded picture about its middle, for warpAffine:
 * it maps the centres of pixels, hence the halves.
 * @param {View} view @returns {number[]}
 */
export function turningMatrix(view) {
  const { cos, sin } = view;
  const fromX = (view.width + 2 * view.padX - 1) / 2;
  const fromY = (view.height + 2 * view.padY - 1) / 2;
  const toX = (view.turnedWidth - 1) / 2;
  const toY = (view.turnedHeight - 1) / 2;
  return [cos, sin, toX - cos * fromX - sin * fromY, -sin, cos, toY + sin * fromX - cos * fromY];
}

/**
 * Bring a window of a view back into the source picture.
 * @param {Window} window @param {View} view @param {number} votes @param {number} rank
 * @returns {Candidate}
 */
export function mapBack(window, view, votes, rank) {
  const x = window.x + window.size / 2 - view.turnedWidth / 2;
  const y = window.y + window.size / 2 - view.turnedHeight / 2;
  return {
    x: (view.cos * x - view.sin * y + view.width / 2) / view.scale,
    y: (view.sin * x + view.cos * y + view.height / 2) / view.scale,
    size: window.size / view.scale,
    votes,
    rank,
  };
}

/**
 * One candidate per face. The candidate with the most votes leads; every other whose area overlaps
 * the leader's by more than `overlap` (intersection over union), or lies in it, or it in the other, by more
 * than `inside` (intersection over the smaller area), gives its votes to the leader. Repeated with
 * what is left. Equal votes: the earlier view first, then from top to bottom, left to right.
 * @param {Candidate[]} candidates @param {{overlap: number, inside: number}} limits
 * @returns {Candidate[]} most votes of its own first
 */
export function mergeCandidates(candidates, limits) {
  /** @type {Candidate[]} */
  const leaders = [];
  const sums = new Map();
  const sorted = [...candidates].sort(
    (a, b) => b.votes - a.votes || a.rank - b.rank || a.y - b.y || a.x - b.x || a.size - b.size,
  );
  for (const candidate of sorted) {
    const leader = leaders.find((other) => isSameFace(other, candidate, limits));
    if (!leader) leaders.push(candidate);
    const face = leader ?? candidate;
    sums.set(face, (sums.get(face) ?? 0) + candidate.votes);
  }
  return leaders.map((leader) => ({ ...leader, votes: sums.get(leader) }));
}

/** @param {Candidate} a @param {Candidate} b @param {{overlap: number, inside: number}} limits */
function isSameFace(a, b, limits) {
  const half = (a.size + b.size) / 2;
  const smaller = Math.min(a.size, b.size);
  const width = Math.min(half - Math.abs(a.x - b.x), smaller);
  const height = Math.min(half - Math.abs(a.y - b.y), smaller);
  if (width <= 0 || height <= 0) return false;
  const shared = width * height;
  const union = a.size * a.size + b.size * b.size - shared;
  return shared > limits.overlap * union || shared > limits.inside * smaller * smaller;
}

/**
 * The boxes that people see: merged, enough votes, middle inside of the picture, cut to the
 * picture, not tiny. The largest comes first; equal ones from top to bottom, left to right.
 * @param {Candidate[]} candidates @param {number} width @param {number} height of the source picture
 * @param {Settings} settings @param {Level} level @returns {import("./tiles.js").FoundFace[]} scored by votes
 */
export function chooseFaces(candidates, width, height, settings, level) {
  return mergeCandidates(candidates, settings.merge)
    .filter(({ votes, x, y }) => votes >= level.votes && x >= 0 && y >= 0 && x < width && y < height)
    .sort((a, b) => b.votes - a.votes || a.rank - b.rank || a.y - b.y || a.x - b.x)
    .map((candidate) => ({ box: cutToPicture(candidate, width, height), score: candidate.votes }))
    .filter(({ box }) => Math.min(box.width, box.height) >= settings.min_box_px)
    .slice(0, settings.max_boxes)
    .sort((a, b) => b.box.width * b.box.height - a.box.width * a.box.height || a.box.y - b.box.y || a.box.x - b.box.x);
}

/** @param {Candidate} candidate @param {number} width @param {number} height @returns {Box} */
function cutToPicture({ x, y, size }, width, height) {
  const left = Math.max(0, round(x - size / 2));
  const top = Math.max(0, round(y - size / 2));
  const right = Math.min(width, round(x + size / 2));
  const bottom = Math.min(height, round(y + size / 2));
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/**
 * Pictures → faces by OpenCV, in the worker: the network's search, and the cascade's where there is no network.
 * What is apart from OpenCV is in `tiles.js` and `detection.js`.
 */

import { chooseFaces as chooseCascadeFaces, mapBack, planViews, turningMatrix } from "./detection.js";
import {
  CELL_PX,
  chooseCandidates,
  chooseFaces,
  cutTiles,
  joinLooks,
  LEAST_AGAIN,
  planEyeView,
  planSecondLook,
  planTileView,
  readCells,
  readEyes,
  searchTurned,
} from "./tiles.js";

/** @typedef {import("./detection.js").Settings} Settings */
/** @typedef {import("./detection.js").Level} Level */
/** @typedef {import("./detection.js").View} View */
/** @typedef {import("./detection.js").Candidate} Candidate */
/** @typedef {import("./geometry.js").Box} Box */
/** @typedef {import("./tiles.js").TileView} TileView */
/** @typedef {import("./tiles.js").FaceCandidate} FaceCandidate */
/** @typedef {import("./tiles.js").FoundFace} FoundFace */
/** @typedef {import("./tiles.js").EyeSettings} EyeSettings */
/**
 * @typedef {object} NetworkSettings what the detector's bundle says
 * @property {number[]} thresholds from fewer faces to more
 * @property {number} default_level
 * @property {number} [surest_level] of a still picture, the surest face is shown at every level if this one shows it
 * @property {number} [plays_level] default for what plays
 * @property {{longest_sides_px: number[], live_longest_sides_px: number[], longest_ratio: number,
 *   tile_overlap: number, most_enlarged: number, fill: number, min_box_px: number, max_boxes: number, tells_eyes: boolean,
 *   merge: {overlap: number, inside: number}, second_look: SecondLook | null, eyes?: EyeSettings}} settings
 */
/** @typedef {{least: number, most: number, face_px: number, side_px: number, faces: number}} SecondLook */
/** @typedef {{net: CvNet, eyes: CvNet | null, network: NetworkSettings}} Network */
/**
 * @typedef {object} Finder
 * @property {Settings} settings
 * @property {CvCascadeClassifier} cascade
 * @property {Network | null} network
 */

/** Rows that are copied into OpenCV at a time, so that a big picture needs little memory. */
const STRIP_ROWS = 256;

/**
 * @param {ImageBitmap} bitmap it is closed @param {number | "live" | undefined} level @param {Finder} finder
 * @returns {FoundFace[]}
 */
export function findFaces(bitmap, level, finder) {
  try {
    if (!(bitmap instanceof ImageBitmap) || !bitmap.width) throw new TypeError("This is not a picture.");
    const { network } = finder;
    if (!network) return withPicture(bitmap, cv.COLOR_RGBA2GRAY, (grey) => searchWithCascade(grey, level, finder));
    return withPicture(bitmap, cv.COLOR_RGBA2RGB, (picture) => {
      if (level === "live") return searchWithNetwork(picture, true, network);
      const search = (/** @type {number} */ quarters) =>
        withTurned(picture, quarters, (turned) => searchWithNetwork(turned, false, network));
      return searchTurned(bitmap, search, network.network, (faces, quarters) =>
        withTurned(picture, quarters, (turned) => tellEyes(turned, faces, network)));
    });
  } finally {
    if (bitmap instanceof ImageBitmap) bitmap.close();
  }
}

/**
 * @param {CvMat} grey @param {number | "live" | undefined} index of the level @param {Finder} finder
 * @returns {FoundFace[]}
 */
function searchWithCascade(grey, index, { settings, cascade }) {
  const { rows: height, cols: width } = grey;
  const level = index === "live" ? settings.live : settings.levels[index ?? settings.default_level];
  if (!level) throw new RangeError(`There is no level ${index}; there are ${settings.levels.length}.`);
  const views = planViews(width, height, settings, level);
  const found = views.flatMap((view, rank) => searchView(grey, view, rank, { level, settings, cascade }));
  return chooseCascadeFaces(found, width, height, settings, level);
}

/**
 * @param {CvMat} picture @param {boolean} live @param {Network} network @returns {FoundFace[]}
 */
function searchWithNetwork(picture, live, { net, network }) {
  const { settings, thresholds } = network;
  const { rows: height, cols: width } = picture;
  if (Math.min(width, height) < settings.min_box_px) return []; // it would be cut into a tile for each pixel
  const sides = live ? settings.live_longest_sides_px : settings.longest_sides_px;
  const again = live ? null : settings.second_look;
  const least = Math.min(...thresholds);
  const floor = Math.min(least, again?.least ?? 1);
  const look = (/** @type {TileView} */ view, /** @type {number} */ from) => lookAt(picture, view, net, from, settings.fill);
  const found = cutTiles(width, height, settings.longest_ratio, settings.tile_overlap)
    .flatMap((tile) => sides.map((side) => planTileView(tile, side, settings.most_enlarged)))
    .flatMap((view) => look(view, floor));
  const candidates = chooseCandidates(found, settings.merge);
  const unsure = candidates.filter(({ score }) => again && score >= again.least && score < again.most);
  const looked = new Set(unsure.slice(0, again?.faces));
  const scored = candidates.map((candidate) => {
    if (!again || !looked.has(candidate)) return candidate;
    const view = planSecondLook(candidate, { width, height }, again);
    return joinLooks(candidate, look(view, LEAST_AGAIN));
  });
  return chooseFaces(scored.filter(({ score }) => score >= least), width, height, settings);
}

/** @param {CvMat} picture @param {FoundFace[]} faces @param {Network} network @returns {FoundFace[]} */
function tellEyes(picture, faces, { eyes, network: { settings } }) {
  const { eyes: looks, fill } = settings;
  if (!eyes || !looks) return faces;
  return faces.map((face) => ({ ...face, ...findEyes(picture, face.box, eyes, looks, fill) }));
}

/**
 * @param {CvNet} net @param {CvMat} picture @param {object} size of the picture
 * @param {<T extends CvObject>(object: T) => T} own
 */
function ask(net, picture, size, own) {
  net.setInput(own(cv.blobFromImage(picture, 1 / 255, size, new cv.Scalar(0, 0, 0, 0), false, false, cv.CV_32F)));
  return own(net.forward()).data32F;
}

/**
 * @param {CvMat} picture @param {Box} box @param {CvNet} net @param {EyeSettings} settings
 * @param {number} fill
 */
function findEyes(picture, box, net, settings, fill) {
  return withObjects((own) => {
    const { window, inside, above, below, left, right } = planEyeView(box, settings.margin, picture.cols, picture.rows);
    const part = own(picture.roi(new cv.Rect(inside.x, inside.y, inside.width, inside.height)));
    const whole = own(new cv.Mat());
    const ground = new cv.Scalar(fill, fill, fill, 0);
    cv.copyMakeBorder(part, whole, above, below, left, right, cv.BORDER_CONSTANT, ground);
    const scaled = own(new cv.Mat());
    const size = new cv.Size(settings.side_px, settings.side_px);
    const interpolation = window.width > settings.side_px ? cv.INTER_AREA : cv.INTER_LINEAR;
    cv.resize(whole, scaled, size, 0, 0, interpolation);
    return readEyes(ask(net, scaled, size, own), window, settings);
  });
}

/**
 * @param {CvMat} picture @param {TileView} view @param {CvNet} net @param {number} floor @param {number} fill
 * @returns {FaceCandidate[]}
 */
function lookAt(picture, view, net, floor, fill) {
  return withObjects((own) => {
    const { tile, width, height, paddedWidth, paddedHeight } = view;
    const part = own(picture.roi(new cv.Rect(tile.x, tile.y, tile.width, tile.height)));
    const scaled = own(new cv.Mat());
    const interpolation = view.scale < 1 ? cv.INTER_AREA : cv.INTER_LINEAR;
    cv.resize(part, scaled, new cv.Size(width, height), 0, 0, interpolation);
    const filled = own(new cv.Mat());
    const ground = new cv.Scalar(fill, fill, fill, 0);
    const [below, right] = [paddedHeight - height, paddedWidth - width];
    cv.copyMakeBorder(scaled, filled, 0, below, 0, right, cv.BORDER_CONSTANT, ground);
    const cells = ask(net, filled, new cv.Size(paddedWidth, paddedHeight), own);
    const [rows, columns] = [paddedHeight / (2 * CELL_PX), paddedWidth / (2 * CELL_PX)];
    return readCells(cells, rows, columns, view, floor);
  });
}

/**
 * Turn a picture counter-clockwise for a while.
 * @template Result
 * @param {CvMat} picture @param {number} quarters @param {(turned: CvMat) => Result} work @returns {Result}
 */
function withTurned(picture, quarters, work) {
  const ways = [cv.ROTATE_90_COUNTERCLOCKWISE, cv.ROTATE_180, cv.ROTATE_90_CLOCKWISE];
  const way = ways[quarters - 1];
  if (way === undefined) return work(picture);
  return withObjects((own) => {
    const turned = own(new cv.Mat());
    cv.rotate(picture, turned, way);
    return work(turned);
  });
}

/**
 * Read a picture on white, at its own size, and free it again.
 * @template Result
 * @param {ImageBitmap} bitmap @param {number} code what OpenCV makes of RGBA
 * @param {(picture: CvMat) => Result} work @returns {Result}
 */
function withPicture(bitmap, code, work) {
  const { width, height } = bitmap;
  const rows = Math.min(STRIP_ROWS, height);
  const canvas = new OffscreenCanvas(width, rows);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("The browser gives the worker no canvas.");
  const picture = new cv.Mat(height, width, code === cv.COLOR_RGBA2GRAY ? cv.CV_8UC1 : cv.CV_8UC3);
  try {
    for (let top = 0; top < height; top += rows) {
      const count = Math.min(rows, height - top);
      context.fillStyle = "#fff";
      context.fillRect(0, 0, width, count);
      context.drawImage(bitmap, 0, top, width, count, 0, 0, width, count);
      copyStrip(context.getImageData(0, 0, width, count), picture, top, code);
    }
    return work(picture);
  } finally {
    picture.delete();
  }
}

/** @param {ImageData} strip @param {CvMat} picture @param {number} top row to begin at @param {number} code */
function copyStrip({ data, width, height }, picture, top, code) {
  withObjects((own) => {
    const colour = own(new cv.Mat(height, width, cv.CV_8UC4));
    colour.data.set(data);
    const rows = own(picture.roi(new cv.Rect(0, top, width, height)));
    cv.cvtColor(colour, rows, code);
  });
}

/**
 * @param {CvMat} grey @param {View} view @param {number} rank
 * @param {{level: Level, settings: Settings, cascade: CvCascadeClassifier}} search @returns {Candidate[]}
 */
function searchView(grey, view, rank, { level, settings, cascade }) {
  return withObjects((own) => {
    const picture = drawView(grey, view, settings, own);
    const windows = own(new cv.RectVector());
    const votes = own(new cv.IntVector());
    const smallest = new cv.Size(level.min_window_px, level.min_window_px);
    const largest = new cv.Size(0, 0); // no limit
    cascade.detectMultiScale2(
      picture, windows, votes, settings.scale_factor, level.neighbours, 0, smallest, largest,
    );
    return Array.from({ length: windows.size() }, (_, index) => {
      const { x, y, width: size } = windows.get(index);
      return mapBack({ x, y, size }, view, votes.get(index), rank);
    });
  });
}

/**
 * Scale, pad, equalise, turn.
 * @param {CvMat} grey @param {View} view @param {Settings} settings
 * @param {<T extends CvObject>(object: T) => T} own @returns {CvMat}
 */
function drawView(grey, view, { padding, equalise }, own) {
  const ground = new cv.Scalar(padding.value, 0, 0, 0);
  const { width, height, padX, padY } = view;
  const scaled = own(new cv.Mat());
  const interpolation = view.scale < 1 ? cv.INTER_AREA : cv.INTER_LINEAR_EXACT;
  cv.resize(grey, scaled, new cv.Size(width, height), 0, 0, interpolation);
  const padded = own(new cv.Mat());
  cv.copyMakeBorder(scaled, padded, padY, padY, padX, padX, cv.BORDER_CONSTANT, ground);
  if (equalise) cv.equalizeHist(padded, padded);
  if (view.sin === 0) return padded;
  const turned = own(new cv.Mat());
  const matrix = own(cv.matFromArray(2, 3, cv.CV_64F, turningMatrix(view)));
  const size = new cv.Size(view.turnedWidth, view.turnedHeight);
  cv.warpAffine(padded, turned, matrix, size, cv.INTER_LINEAR, cv.BORDER_CONSTANT, ground);
  return turned;
}

/**
 * Run `work` and free every OpenCV object that it owns, whatever happens.
 * @template Result
 * @param {(own: <T extends CvObject>(object: T) => T) => Result} work @returns {Result}
 */
function withObjects(work) {
  /** @type {CvObject[]} */
  const objects = [];
  try {
    return work((object) => {
      objects.push(object);
      return object;
    });
  } finally {
    for (const object of objects) object.delete();
  }
}

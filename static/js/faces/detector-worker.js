/**
 * The web worker that finds faces: loads OpenCV.js, the cascade and the face network once, then answers one
 * picture after another. All heavy work is here, so that the page stays responsive.
 *
 * In:  {type: "load", opencv, wasm, cascade, settings, network, networkSettings, networkEyes} (addresses)
 *      {type: "detect", id, bitmap, level}
 * Out: {type: "progress", fraction} · {type: "loaded", network, thresholds, defaultLevel, boxScale}
 *      {type: "faces", id, faces, heapBytes} · {type: "failed", id, message}; `id` is null while loading
 *
 * The network finds the faces of every level at once; where it cannot be loaded, the cascade finds those of one.
 */

/** @typedef {import("./detection.js").Settings} Settings */
/** @typedef {import("./detection.js").Level} Level */
/** @typedef {import("./detection.js").View} View */
/** @typedef {import("./detection.js").Candidate} Candidate */
/** @typedef {import("./geometry.js").Box} Box */
/** @typedef {import("./tiles.js").TileView} TileView */
/** @typedef {import("./tiles.js").FaceCandidate} FaceCandidate */
/** @typedef {import("./tiles.js").FoundFace} FoundFace */
/** @typedef {{opencv: string, wasm: string, cascade: string, settings: string, network: string, networkSettings: string, networkEyes: string}} Addresses */
/**
 * @typedef {object} NetworkSettings what the detector's bundle says
 * @property {number[]} thresholds from fewer faces to more
 * @property {number} default_level
 * @property {{longest_sides_px: number[], live_longest_sides_px: number[], longest_ratio: number,
 *   tile_overlap: number, most_enlarged: number, fill: number, min_box_px: number, max_boxes: number, tells_eyes: boolean,
 *   merge: {overlap: number, inside: number}, second_look: SecondLook | null, eyes?: import("./tiles.js").EyeSettings}} settings
 */
/** @typedef {{least: number, most: number, face_px: number, side_px: number, faces: number}} SecondLook */
/** @typedef {{net: CvNet, eyes: CvNet | null, tiles: typeof import("./tiles.js"), network: NetworkSettings}} Network */
/**
 * @typedef {object} Finder
 * @property {typeof import("./detection.js")} geometry
 * @property {Settings} settings
 * @property {CvCascadeClassifier} cascade
 * @property {Network | null} network
 */

const CASCADE_PATH = "/cascade.xml";
const NETWORK_PATH = "/face-network.tflite";
const EYES_PATH = "/eye-network.tflite";
/** Size of opencv.wasm, for the progress of a compressed answer, whose length says nothing. */
const TYPICAL_WASM_BYTES = 8_000_000;
/** Share of the progress that downloading takes; the rest is starting. */
const DOWNLOAD_SHARE = 0.9;
/** Rows that are copied into OpenCV at a time, so that a big picture needs little memory. */
const STRIP_ROWS = 256;

const workerScope = /** @type {DedicatedWorkerGlobalScope} */ (/** @type {unknown} */ (self));

/** @type {Finder | null} */
let finder = null;

workerScope.addEventListener("message", async ({ data }) => {
  try {
    if (data.type === "load") {
      finder = await loadFinder(data);
      post({ type: "loaded", ...describeLevels(finder) });
    } else {
      const faces = findFaces(data.bitmap, data.level);
      post({ type: "faces", id: data.id, faces, heapBytes: cv.HEAPU8.length });
    }
  } catch (error) {
    post({ type: "failed", id: data.id ?? null, message: describe(error) });
  }
});

/** @param {object} message */
function post(message) {
  workerScope.postMessage(message);
}

/** C++ exceptions arrive as bare numbers. @param {unknown} error */
function describe(error) {
  if (error instanceof Error) return error.message;
  return `OpenCV stopped with ${String(error)}.`;
}

/** @param {Finder} finder */
function describeLevels({ network, settings }) {
  const votes = settings.levels.map((level) => level.votes);
  return {
    network: network !== null,
    thresholds: network?.network.thresholds ?? votes,
    defaultLevel: network?.network.default_level ?? settings.default_level,
    boxScale: network ? 1 : settings.box_scale, // the network's boxes are the tight face
  };
}

/** Everything is on its way at once. @param {Addresses} addresses @returns {Promise<Finder>} */
async function loadFinder({ opencv, wasm, cascade, settings, network, networkSettings, networkEyes }) {
  const [geometry, parsed, xml, weights, eyeWeights, known, tiles] = await Promise.all([
    import("./detection.js"),
    request(settings).then((response) => /** @type {Promise<Settings>} */ (response.json())),
    request(cascade).then((response) => response.arrayBuffer()),
    requestNetwork(network).then((response) => response?.arrayBuffer() ?? null),
    requestNetwork(networkEyes).then((response) => response?.arrayBuffer() ?? null),
    requestNetwork(networkSettings).then((response) => /** @type {Promise<NetworkSettings> | null} */ (response?.json() ?? null)),
    import("./tiles.js"),
    startOpenCv(opencv, wasm),
  ]);
  cv.FS_createDataFile("/", CASCADE_PATH.slice(1), new Uint8Array(xml), true, false, false);
  const classifier = new cv.CascadeClassifier();
  if (!classifier.load(CASCADE_PATH)) throw new Error(`${cascade} is not a cascade that OpenCV reads.`);
  post({ type: "progress", fraction: 1 });
  const net = weights && known && readNetwork(weights, NETWORK_PATH);
  const eyes = net && eyeWeights && readNetwork(eyeWeights, EYES_PATH);
  return { geometry, settings: parsed, cascade: classifier, network: net ? { net, eyes, tiles, network: known } : null };
}

/** Without the network the cascade does. @param {string} url empty if none serves @returns {Promise<Response | null>} */
async function requestNetwork(url) {
  return url ? request(url).catch(() => null) : null;
}

/** A network, or null where OpenCV cannot read it: faces are found without. @param {ArrayBuffer} weights @param {string} path */
function readNetwork(weights, path) {
  try {
    cv.FS_createDataFile("/", path.slice(1), new Uint8Array(weights), true, false, false);
    return cv.readNetFromTFLite(path);
  } catch {
    return null;
  }
}

/** @param {string} url @returns {Promise<Response>} */
async function request(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered ${response.status}.`);
  return response;
}

/**
 * Fetch the WebAssembly and tell how far it is; it is compiled while it arrives.
 * @param {string} url @param {(fraction: number) => void} onProgress @returns {Promise<Response>}
 */
async function requestWasm(url, onProgress) {
  const { body, headers } = await request(url);
  const declared = headers.has("Content-Encoding") ? 0 : Number(headers.get("Content-Length"));
  const total = declared || TYPICAL_WASM_BYTES;
  let received = 0;
  /** @type {TransformStream<Uint8Array, Uint8Array>} */
  const counter = new TransformStream({
    transform(part, controller) {
      received += part.length;
      onProgress(Math.min(1, received / total));
      controller.enqueue(part);
    },
  });
  return new Response(body?.pipeThrough(counter), { headers: { "Content-Type": "application/wasm" } });
}

/**
 * Run OpenCV.js under the site's policy. Two of its habits would not do: it looks for its WebAssembly
 * beside this script (it gets a `fetch` that has it under way already), and it compiles its glue from
 * text.
 * @param {string} url @param {string} wasm
 */
async function startOpenCv(url, wasm) {
  const { replaceFunctionConstructor } = await import("./embind-without-eval.js");
  const response = requestWasm(wasm, (fraction) => post({ type: "progress", fraction: DOWNLOAD_SHARE * fraction }));
  const restoreFunction = replaceFunctionConstructor(workerScope);
  try {
    runScript(url, response);
    delete cv.then; // `await` would take the module for a promise that never settles
    const started = new Promise((resolve, reject) => {
      cv.onAbort = (reason) => reject(new Error(`OpenCV.js did not start: ${String(reason)}`));
      if (cv.calledRun) resolve(undefined);
      else cv.onRuntimeInitialized = () => resolve(undefined);
    });
    await Promise.race([started, response.then(() => started)]);
  } finally {
    restoreFunction();
  }
}

/**
 * OpenCV.js would leave a failed fetch unhandled: it waits instead, and `startOpenCv` tells.
 * @param {string} url of OpenCV.js @param {Promise<Response>} wasm what it is to fetch
 */
function runScript(url, wasm) {
  const { fetch } = workerScope;
  workerScope.fetch = () => wasm.catch(() => new Promise(() => {}));
  try {
    importScripts(url);
  } finally {
    workerScope.fetch = fetch;
  }
}

/** @param {ImageBitmap} bitmap @param {number | "live" | undefined} level @returns {FoundFace[]} */
function findFaces(bitmap, level) {
  try {
    if (!finder) throw new Error("The face finder is not loaded yet.");
    if (!(bitmap instanceof ImageBitmap) || !bitmap.width) throw new TypeError("This is not a picture.");
    const { network } = finder;
    if (!network) return withPicture(bitmap, cv.COLOR_RGBA2GRAY, (grey) => searchWithCascade(grey, bitmap, level));
    return withPicture(bitmap, cv.COLOR_RGBA2RGB, (picture) => {
      if (level === "live") return searchWithNetwork(picture, true, network);
      const search = (/** @type {number} */ quarters) =>
        withTurned(picture, quarters, (turned) => searchWithNetwork(turned, false, network));
      return network.tiles.searchTurned(bitmap, search, network.network);
    });
  } finally {
    if (bitmap instanceof ImageBitmap) bitmap.close();
  }
}

/**
 * @param {CvMat} grey @param {ImageBitmap} bitmap @param {number | "live" | undefined} index of the level
 * @returns {FoundFace[]}
 */
function searchWithCascade(grey, { width, height }, index) {
  if (!finder) return [];
  const { settings, geometry } = finder;
  const level = index === "live" ? settings.live : settings.levels[index ?? settings.default_level];
  if (!level) throw new RangeError(`There is no level ${index}; there are ${settings.levels.length}.`);
  const views = geometry.planViews(width, height, settings, level);
  const found = views.flatMap((view, rank) => searchView(grey, view, rank, level));
  return geometry.chooseFaces(found, width, height, settings, level);
}

/**
 * @param {CvMat} picture @param {boolean} live @param {Network} network @returns {FoundFace[]}
 */
function searchWithNetwork(picture, live, { net, eyes, tiles, network }) {
  const { settings, thresholds } = network;
  const { rows: height, cols: width } = picture;
  const sides = live ? settings.live_longest_sides_px : settings.longest_sides_px;
  const again = live ? null : settings.second_look;
  const least = Math.min(...thresholds);
  const floor = Math.min(least, again?.least ?? 1);
  const look = (/** @type {TileView} */ view, /** @type {number} */ from) => lookAt(picture, view, net, from, settings.fill, tiles);
  const found = tiles
    .cutTiles(width, height, settings.longest_ratio, settings.tile_overlap)
    .flatMap((tile) => sides.map((side) => tiles.planTileView(tile, side, settings.most_enlarged)))
    .flatMap((view) => look(view, floor));
  const candidates = tiles.chooseCandidates(found, settings.merge);
  const unsure = candidates.filter(({ score }) => again && score >= again.least && score < again.most);
  const looked = new Set(unsure.slice(0, again?.faces));
  const scored = candidates.map((candidate) => {
    if (!again || !looked.has(candidate)) return candidate;
    const view = tiles.planSecondLook(candidate, { width, height }, again);
    return tiles.joinLooks(candidate, look(view, tiles.LEAST_AGAIN));
  });
  const faces = tiles.chooseFaces(scored.filter(({ score }) => score >= least), width, height, settings);
  const { eyes: told } = settings;
  if (!eyes || !told || live) return faces;
  return faces.map((face) => ({ ...face, ...findEyes(picture, face.box, eyes, told, settings.fill, tiles) }));
}

/**
 * @param {CvMat} picture @param {Box} box @param {CvNet} net @param {import("./tiles.js").EyeSettings} settings
 * @param {number} fill @param {typeof import("./tiles.js")} tiles
 */
function findEyes(picture, box, net, settings, fill, tiles) {
  return withObjects((own) => {
    const { window, inside, above, below, left, right } = tiles.planEyeView(box, settings.margin, picture.cols, picture.rows);
    const part = own(picture.roi(new cv.Rect(inside.x, inside.y, inside.width, inside.height)));
    const whole = own(new cv.Mat());
    const ground = new cv.Scalar(fill, fill, fill, 0);
    cv.copyMakeBorder(part, whole, above, below, left, right, cv.BORDER_CONSTANT, ground);
    const scaled = own(new cv.Mat());
    const size = new cv.Size(settings.side_px, settings.side_px);
    const interpolation = window.width > settings.side_px ? cv.INTER_AREA : cv.INTER_LINEAR;
    cv.resize(whole, scaled, size, 0, 0, interpolation);
    const blob = own(cv.blobFromImage(scaled, 1 / 255, size, new cv.Scalar(0, 0, 0, 0), false, false, cv.CV_32F));
    net.setInput(blob);
    return tiles.readEyes(own(net.forward()).data32F, window, settings);
  });
}

/**
 * @param {CvMat} picture @param {TileView} view @param {CvNet} net @param {number} floor @param {number} fill
 * @param {typeof import("./tiles.js")} tiles @returns {FaceCandidate[]}
 */
function lookAt(picture, view, net, floor, fill, tiles) {
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
    const size = new cv.Size(paddedWidth, paddedHeight);
    const blob = own(cv.blobFromImage(filled, 1 / 255, size, new cv.Scalar(0, 0, 0, 0), false, false, cv.CV_32F));
    net.setInput(blob);
    const cells = own(net.forward());
    const [rows, columns] = [paddedHeight / (2 * tiles.CELL_PX), paddedWidth / (2 * tiles.CELL_PX)];
    return tiles.readCells(cells.data32F, rows, columns, view, floor);
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

/** @param {CvMat} grey @param {View} view @param {number} rank @param {Level} level @returns {Candidate[]} */
function searchView(grey, view, rank, level) {
  if (!finder) return [];
  const { settings, geometry, cascade } = finder;
  return withObjects((own) => {
    const picture = drawView(grey, view, own);
    const windows = own(new cv.RectVector());
    const votes = own(new cv.IntVector());
    const smallest = new cv.Size(level.min_window_px, level.min_window_px);
    const largest = new cv.Size(0, 0); // no limit
    cascade.detectMultiScale2(
      picture, windows, votes, settings.scale_factor, level.neighbours, 0, smallest, largest,
    );
    return Array.from({ length: windows.size() }, (_, index) => {
      const { x, y, width: size } = windows.get(index);
      return geometry.mapBack({ x, y, size }, view, votes.get(index), rank);
    });
  });
}

/**
 * Scale, pad, equalise, turn.
 * @param {CvMat} grey @param {View} view @param {<T extends CvObject>(object: T) => T} own
 * @returns {CvMat}
 */
function drawView(grey, view, own) {
  if (!finder) throw new Error("The face finder is not loaded yet.");
  const { padding, equalise } = finder.settings;
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
  const matrix = own(cv.matFromArray(2, 3, cv.CV_64F, finder.geometry.turningMatrix(view)));
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

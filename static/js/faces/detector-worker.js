/**
 * The web worker that finds faces: loads OpenCV.js, the cascade and the face network once, then answers one
 * picture after another. All heavy work is here, so that the page stays responsive.
 *
 * In:  {type: "load", opencv, wasm, cascade, settings, network, networkSettings, networkEyes} (addresses)
 *      {type: "detect", id, bitmap, level}
 * Out: {type: "progress", fraction} · {type: "loaded", network, thresholds, defaultLevel, playsLevel, boxScale}
 *      {type: "faces", id, faces, heapBytes} · {type: "failed", id, message}; `id` is null while loading
 *
 * The network finds the faces of every level at once; where it cannot be loaded, the cascade finds those of one.
 */

/** @typedef {import("./opencv-search.js").Finder} Finder */
/** @typedef {import("./opencv-search.js").NetworkSettings} NetworkSettings */
/** @typedef {import("./detection.js").Settings} Settings */
/** @typedef {{opencv: string, wasm: string, cascade: string, settings: string, network: string, networkSettings: string, networkEyes: string}} Addresses */

const CASCADE_PATH = "/cascade.xml";
const NETWORK_PATH = "/face-network.tflite";
const EYES_PATH = "/eye-network.tflite";
/** Size of opencv.wasm, for the progress of a compressed answer, whose length says nothing. */
const TYPICAL_WASM_BYTES = 8_000_000;
/** Share of the progress that downloading takes; the rest is starting. */
const DOWNLOAD_SHARE = 0.9;

const workerScope = /** @type {DedicatedWorkerGlobalScope} */ (/** @type {unknown} */ (self));

/** @type {((bitmap: ImageBitmap, level: number | "live" | undefined) => object[]) | null} */
let findFaces = null;

workerScope.addEventListener("message", async ({ data }) => {
  try {
    if (data.type === "load") {
      const [{ findFaces: find }, finder] = await Promise.all([import("./opencv-search.js"), loadFinder(data)]);
      findFaces = (bitmap, level) => find(bitmap, level, finder);
      post({ type: "loaded", ...describeLevels(finder) });
    } else {
      if (!findFaces) throw new Error("The face finder is not loaded yet.");
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
    playsLevel: network?.network.plays_level ?? network?.network.default_level ?? settings.default_level,
    boxScale: network ? 1 : settings.box_scale, // the network's boxes are the tight face
  };
}

/** Everything is on its way at once. @param {Addresses} addresses @returns {Promise<Finder>} */
async function loadFinder({ opencv, wasm, cascade, settings, network, networkSettings, networkEyes }) {
  const [parsed, xml, weights, eyeWeights, known] = await Promise.all([
    request(settings).then((response) => /** @type {Promise<Settings>} */ (response.json())),
    request(cascade).then((response) => response.arrayBuffer()),
    requestNetwork(network).then((response) => response?.arrayBuffer() ?? null),
    requestNetwork(networkEyes).then((response) => response?.arrayBuffer() ?? null),
    requestNetwork(networkSettings).then((response) => /** @type {Promise<NetworkSettings> | null} */ (response?.json() ?? null)),
    startOpenCv(opencv, wasm),
  ]);
  cv.FS_createDataFile("/", CASCADE_PATH.slice(1), new Uint8Array(xml), true, false, false);
  const classifier = new cv.CascadeClassifier();
  if (!classifier.load(CASCADE_PATH)) throw new Error(`${cascade} is not a cascade that OpenCV reads.`);
  post({ type: "progress", fraction: 1 });
  const net = weights && known && readNetwork(weights, NETWORK_PATH);
  const eyes = net && eyeWeights && readNetwork(eyeWeights, EYES_PATH);
  return { settings: parsed, cascade: classifier, network: net ? { net, eyes, network: known } : null };
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

/**
 * A picture file → an upright bitmap. Browsers turn JPEGs by their EXIF; whether they turn WebP differs, so
 * that is done here, as the server does it.
 */

const TURNED_BY_HERE = "image/webp";
const ORIENTATION_TAG = 0x0112;
const SHORT = 3;
/**
 * Orientation → the canvas's matrix, for a bitmap of width `w` and height `h`.
 * @type {Record<number, (w: number, h: number) => [number, number, number, number, number, number]>}
 */
const MATRICES = {
  2: (w) => [-1, 0, 0, 1, w, 0],
  3: (w, h) => [-1, 0, 0, -1, w, h],
  4: (_w, h) => [1, 0, 0, -1, 0, h],
  5: () => [0, 1, 1, 0, 0, 0],
  6: (_w, h) => [0, 1, -1, 0, h, 0],
  7: (w, h) => [0, -1, -1, 0, h, w],
  8: (w) => [0, -1, 1, 0, 0, w],
};

/** @param {Blob} blob @param {string} type as its content tells @returns {Promise<ImageBitmap>} */
export async function decodeUpright(blob, type) {
  const orientation = type === TURNED_BY_HERE ? readWebpOrientation(await blob.arrayBuffer()) : 1;
  const matrix = MATRICES[orientation];
  if (!matrix) return createImageBitmap(blob, { imageOrientation: "from-image" });
  const bitmap = await createImageBitmap(blob, { imageOrientation: "none" });
  const { width, height } = bitmap;
  const canvas = orientation > 4 ? new OffscreenCanvas(height, width) : new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  if (!context) return bitmap;
  context.setTransform(...matrix(width, height));
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return canvas.transferToImageBitmap();
}

/**
 * The orientation of a WebP by its EXIF, else by its XMP.
 * @param {ArrayBuffer} file @returns {number} 1 to 8; 1 where none is told
 */
function readWebpOrientation(file) {
  const view = new DataView(file);
  let found = 0;
  let described = 1;
  for (let at = 12; at + 8 <= file.byteLength && !found; ) {
    const length = view.getUint32(at + 4, true);
    const kind = text(view, at, 4);
    const end = Math.min(at + 8 + length, file.byteLength);
    if (kind === "EXIF") found = readTiff(new DataView(file, at + 8, end - at - 8));
    if (kind === "XMP ") {
      const told = /tiff:Orientation(?:="|>)([0-9])/.exec(text(view, at + 8, end - at - 8));
      described = told ? Number(told[1]) : 1;
    }
    at += 8 + length + (length % 2);
  }
  return found || described;
}

/** @param {DataView} block EXIF @returns {number} 0 where no orientation is told */
function readTiff(block) {
  const start = text(block, 0, 6) === "Exif\0\0" ? 6 : 0;
  const little = text(block, start, 2) === "II";
  if (!little && text(block, start, 2) !== "MM") return 0;
  try {
    const first = start + block.getUint32(start + 4, little);
    const count = block.getUint16(first, little);
    for (let at = first + 2; at < first + 2 + 12 * count; at += 12) {
      if (block.getUint16(at, little) !== ORIENTATION_TAG) continue;
      const isNumber = block.getUint16(at + 2, little) === SHORT && block.getUint32(at + 4, little) === 1;
      return isNumber ? block.getUint16(at + 8, little) : 0;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // cut short
  }
  return 0;
}

/** @param {DataView} view @param {number} at @param {number} length */
function text(view, at, length) {
  const there = Math.max(0, Math.min(length, view.byteLength - at));
  return new TextDecoder("latin1").decode(new Uint8Array(view.buffer, view.byteOffset + at, there));
}

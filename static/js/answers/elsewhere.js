/**
 * Searching elsewhere: the picture is copied and another site opened, or where a site takes uploads from a form
 * the browser posts it there. Nothing leaves before the visitor clicks, and each click says where it goes.
 */

import { say, isTouched } from "../page/messages.js";
import { Toast } from "../page/toasts.js";

/** @typedef {{name: string, url: string, field?: string}} Site `field`: of the form that takes the picture */

/** @type {Record<string, Site>} those with a field are also in the Content-Security-Policy (`form-action`) */
const SITES = {
  lens: { name: "Google Lens", url: "https://lens.google.com/" },
  saucenao: { name: "SauceNAO", url: "https://saucenao.com/search.php", field: "file" },
  tracemoe: { name: "trace.moe", url: "https://trace.moe/" },
  animetrace: { name: "AnimeTrace", url: "https://www.animetrace.com/" },
};
/** Enough for every such site, and quickly made and sent. */
const LONGEST_PX = 1600;

/** @param {ImageBitmap} bitmap what is shown of the picture @param {string} site */
export async function searchElsewhere(bitmap, site) {
  const { name, url, field } = SITES[site];
  if (field) {
    post(url, field, await encode(bitmap, "image/jpeg"));
    return new Toast().sayAndGo(say("elsewhere_sent", { site: name }));
  }
  const copied = await copy(bitmap); // a window that is not looked at any more may not copy
  open(url, "_blank", "noopener,noreferrer");
  const toast = new Toast();
  if (!copied) toast.say(say("elsewhere_not_copied", { site: name }), "error");
  else if (isTouched) toast.say(say("elsewhere_copied_touch", { site: name }));
  else toast.say(say("elsewhere_copied", { site: name }));
}

/** @param {ImageBitmap} bitmap @param {string} type @returns {Promise<Blob>} */
async function encode(bitmap, type) {
  const scale = Math.min(1, LONGEST_PX / Math.max(bitmap.width, bitmap.height));
  const size = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
  const canvas = new OffscreenCanvas(size[0], size[1]);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("no 2d canvas");
  context.fillStyle = "white";
  context.fillRect(0, 0, size[0], size[1]);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, size[0], size[1]);
  return canvas.convertToBlob({ type, quality: 0.92 });
}

/** @param {ImageBitmap} bitmap @returns {Promise<boolean>} */
async function copy(bitmap) {
  try {
    await navigator.clipboard.write([new ClipboardItem({ "image/png": encode(bitmap, "image/png") })]);
    return true;
  } catch {
    return false; // not on https or localhost, or not allowed
  }
}

/** @param {string} url @param {string} field @param {Blob} picture */
function post(url, field, picture) {
  const form = document.createElement("form");
  Object.assign(form, { action: url, method: "post", enctype: "multipart/form-data", target: "_blank", rel: "noopener", hidden: true });
  const input = document.createElement("input");
  input.type = "file";
  input.name = field;
  const files = new DataTransfer();
  files.items.add(new File([picture], "picture.jpg", { type: picture.type }));
  input.files = files.files;
  form.append(input);
  document.body.append(form);
  form.submit();
  form.remove();
}

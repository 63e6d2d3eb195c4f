/**
 * The ways in: file button, paste, a drop anywhere on the page, an address, the example picture.
 *
 * Whoever pastes or drags brings bytes, or at least says where the picture is: in the `<img>` of copied HTML, in a
 * link, or in a text that is an address.
 */

/** Whoever does one of these may soon bring a picture; robots and passers-by do none. */
const SIGNS_OF_LIFE = ["pointermove", "pointerdown", "keydown"];
const ADDRESS = /^(https?:\/\/\S+|data:image\/\S+)$/i;

/**
 * @typedef {object} IntakeActions
 * @property {(files: Blob[]) => void} open
 * @property {(address: string) => void} fetch
 * @property {() => void} openExample
 * @property {() => void} refuseLink something was dropped that is neither a file nor an address
 * @property {() => void} expect somebody seems about to bring a picture
 */

/** Pictures and videos, or else the first file, to be told that it is none. @param {Iterable<File>} all @returns {File[]} */
function choosePictures(all) {
  const files = [...all];
  const pictures = files.filter((file) => /^(image|video)\//.test(file.type));
  return pictures.length > 0 ? pictures : files.slice(0, 1);
}

/**
 * The address that copied or dragged data holds, or "".
 * @param {DataTransfer | null} data
 */
function findAddress(data) {
  const html = data?.getData("text/html") ?? "";
  // A parsed document runs no script and loads no picture.
  const source = html && new DOMParser().parseFromString(html, "text/html").querySelector("img")?.getAttribute("src");
  const link = data?.getData("text/uri-list").split(/\r?\n/).find((line) => line && !line.startsWith("#"));
  const candidates = [source, link, data?.getData("text/plain")].map((text) => text?.trim() ?? "");
  return candidates.find((text) => ADDRESS.test(text)) ?? "";
}

/**
 * @param {object} elements
 * @param {HTMLInputElement} elements.input the file input
 * @param {HTMLFormElement} elements.addressForm with one field
 * @param {HTMLElement} elements.overlay shown while a file is held over the page
 * @param {Iterable<HTMLElement>} elements.choosers buttons that open the file dialog
 * @param {Iterable<HTMLElement>} elements.examples buttons that open the example
 * @param {IntakeActions} actions
 */
export function receivePictures({ input, addressForm, overlay, choosers, examples }, actions) {
  input.addEventListener("change", () => {
    take(choosePictures(input.files ?? []), "", actions);
    input.value = ""; // so that the same file can be chosen again
  });
  for (const chooser of choosers) {
    chooser.addEventListener("click", () => input.click());
  }
  for (const sign of SIGNS_OF_LIFE) document.addEventListener(sign, actions.expect, { once: true });
  for (const example of examples) example.addEventListener("click", actions.openExample);
  addressForm.addEventListener("submit", (event) => {
    event.preventDefault();
    const address = String(new FormData(addressForm).get("address")).trim();
    if (address) actions.fetch(/^(https?|data):/i.test(address) ? address : `https://${address}`);
  });
  document.addEventListener("paste", (event) => receivePaste(event, actions));
  receiveDrops(overlay, actions);
}

/**
 * @param {File[]} files @param {string} address @param {IntakeActions} actions
 * @returns {boolean} whether there was something to take
 */
function take(files, address, actions) {
  if (files.length > 0) actions.open(files);
  else if (address) actions.fetch(address);
  return files.length > 0 || address !== "";
}

/** @param {ClipboardEvent} event @param {IntakeActions} actions */
function receivePaste(event, actions) {
  if (document.querySelector("dialog[open]")) return;
  const files = choosePictures(event.clipboardData?.files ?? []);
  if (take(files, findAddress(event.clipboardData), actions)) event.preventDefault();
}

/** A browser would show a file that nobody takes, and the page with what is written in the dialog would be gone. @param {DragEvent} event */
function refuseUnderDialog(event) {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "none";
}

/** @param {HTMLElement} overlay @param {IntakeActions} actions */
function receiveDrops(overlay, actions) {
  let depth = 0;
  const show = (/** @type {boolean} */ visible) => {
    overlay.hidden = !visible;
  };
  const isOurs = (/** @type {DragEvent} */ event) =>
    ["Files", "text/uri-list"].some((type) => event.dataTransfer?.types.includes(type)) &&
    !document.querySelector("dialog[open]");

  document.addEventListener("dragenter", (event) => {
    if (!isOurs(event)) return;
    event.preventDefault();
    depth += 1;
    actions.expect();
    show(true);
  });
  document.addEventListener("dragover", (event) => {
    if (!isOurs(event)) return void refuseUnderDialog(event);
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
  });
  document.addEventListener("dragleave", (event) => {
    if (!isOurs(event)) return;
    depth -= 1;
    if (depth <= 0) show(false);
  });
  document.addEventListener("drop", (event) => {
    depth = 0;
    show(false);
    if (!isOurs(event)) return void refuseUnderDialog(event);
    event.preventDefault();
    const files = choosePictures(event.dataTransfer?.files ?? []);
    if (!take(files, findAddress(event.dataTransfer), actions)) actions.refuseLink();
  });
}

/**
 * The ways in: file button, paste, a drop anywhere on the page, the example picture.
 */

/** Whoever does one of these may soon bring a picture; robots and passers-by do none. */
const SIGNS_OF_LIFE = ["pointermove", "pointerdown", "keydown"];

/** @param {DataTransfer | null} data @returns {File | null} */
function firstFile(data) {
  const files = [...(data?.files ?? [])];
  return files.find((file) => /^(image|video)\//.test(file.type)) ?? files[0] ?? null;
}

/**
 * @param {object} elements
 * @param {HTMLInputElement} elements.input the file input
 * @param {HTMLElement} elements.overlay shown while a file is held over the page
 * @param {Iterable<HTMLElement>} elements.choosers buttons that open the file dialog
 * @param {Iterable<HTMLElement>} elements.examples buttons that open the example
 * @param {object} actions
 * @param {(file: Blob) => void} actions.open
 * @param {() => void} actions.openExample
 * @param {() => void} actions.refuseLink something was dropped that is not a file
 * @param {() => void} actions.expect somebody seems about to bring a picture
 */
export function receivePictures({ input, overlay, choosers, examples }, actions) {
  const take = (/** @type {File | null} */ file) => {
    if (file) actions.open(file);
  };
  input.addEventListener("change", () => {
    take(input.files?.[0] ?? null);
    input.value = ""; // so that the same file can be chosen again
  });
  for (const chooser of choosers) {
    chooser.addEventListener("click", () => input.click());
  }
  for (const sign of SIGNS_OF_LIFE) document.addEventListener(sign, actions.expect, { once: true });
  for (const example of examples) example.addEventListener("click", actions.openExample);
  document.addEventListener("paste", (event) => {
    const file = firstFile(event.clipboardData);
    if (!file || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    take(file);
  });
  receiveDrops(overlay, take, actions);
}

/**
 * @param {HTMLElement} overlay @param {(file: File | null) => void} take
 * @param {{expect: () => void, refuseLink: () => void}} actions
 */
function receiveDrops(overlay, take, { expect, refuseLink }) {
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
    expect();
    show(true);
  });
  document.addEventListener("dragover", (event) => {
    if (!isOurs(event)) return;
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
    if (!isOurs(event)) return;
    event.preventDefault();
    const file = firstFile(event.dataTransfer);
    if (file) take(file);
    else refuseLink();
  });
}

/** Letting the reader save what the page has made. */

/** How long the browser may take to begin. */
const PATIENCE_MS = 60_000;

/** @param {Blob} blob @param {string} name of the file */
export function saveAs(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), PATIENCE_MS);
}

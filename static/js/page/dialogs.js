/**
 * Closing a dialog by a click beside it.
 */

/**
 * A click on the backdrop closes a dialog; a press that began inside it, to select a text say, never does.
 * @param {HTMLDialogElement} dialog @param {() => void} [close]
 */
export function closeFromOutside(dialog, close = () => dialog.close()) {
  /** @type {EventTarget | null} */
  let pressed = null;
  dialog.addEventListener("pointerdown", ({ target }) => {
    pressed = target;
  });
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog && pressed === dialog) close();
  });
}

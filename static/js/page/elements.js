/**
 * Finding elements and copying templates, with an error that names what is missing.
 */

/**
 * @template {HTMLElement} T
 * @param {string} id @param {new () => T} kind @returns {T}
 */
export function byId(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`The page has no ${kind.name} #${id}.`);
  return found;
}

/** @param {ParentNode} parent @param {string} selector @returns {HTMLElement} */
export function part(parent, selector) {
  const found = parent.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`The page has no ${selector}.`);
  return found;
}

/** The first element of a new copy. @param {string} id of the template @returns {HTMLElement} */
export function copyTemplate(id) {
  const copy = document.importNode(byId(id, HTMLTemplateElement).content, true);
  const { firstElementChild } = copy;
  if (!(firstElementChild instanceof HTMLElement)) throw new Error(`The template #${id} is empty.`);
  return firstElementChild;
}

// Shows the OpenAPI document with Swagger UI; a module of its own because inline scripts are not allowed.

/** @type {any} */
const swagger = /** @type {any} */ (window).SwaggerUIBundle;
const place = /** @type {HTMLElement} */ (document.getElementById("api-docs"));

/** What Swagger UI leaves out for those who read by ear: selector, attribute, value. */
const COMPLETIONS = [
  [".information-container > section", "aria-label", "About"],
  ["section.schemes", "aria-label", "Servers"],
  ["section.models", "aria-label", "Schemas"],
  ["h3.opblock-tag, section.models > h4", "aria-level", "2"],
  [".opblock-body h4", "aria-level", "3"],
  [".opblock-body h5", "aria-level", "4"],
  ["table[role='region']", "role", "table"],
];

function complete() {
  for (const [selector, name, value] of COMPLETIONS) {
    for (const part of place.querySelectorAll(selector)) if (part.getAttribute(name) !== value) part.setAttribute(name, value);
  }
  for (const select of place.querySelectorAll("select:not([aria-label])")) {
    const row = select.closest("tr[data-param-name]");
    select.setAttribute("aria-label", row?.getAttribute("data-param-name") ?? "Server");
  }
}

new MutationObserver(complete).observe(place, { childList: true, subtree: true });
swagger({
  domNode: place,
  url: place.dataset.openapi,
  defaultModelsExpandDepth: 0,
});

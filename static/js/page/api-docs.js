// Shows the OpenAPI document with Swagger UI; a module of its own because inline scripts are not allowed.

/** @type {any} */
const swagger = /** @type {any} */ (window).SwaggerUIBundle;
const place = /** @type {HTMLElement} */ (document.getElementById("api-docs"));

swagger({
  domNode: place,
  url: place.dataset.openapi,
  deepLinking: true,
  defaultModelsExpandDepth: 0,
});

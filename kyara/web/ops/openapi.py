"""The OpenAPI document as APIFlask makes it → one that says what really comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kyara.web.ops.limits import is_limited

PROBLEM = "application/problem+json"
_ALWAYS = {"414": "Request-URI Too Large", "431": "Request Header Fields Too Large"}
"""What a query or a header that is too long gets on every route, see `check_headers`."""
_METHODS = frozenset({"get", "head", "post", "put", "patch", "delete"})


def complete_document(spec: Any, bodies: Mapping[str, dict[str, Any]]) -> Any:
    """Give errors the media type that they have, every route its 414 and 431, every limited one its 429.

    Some routes get more bodies.

    Args:
        spec: the document, a dictionary; it is changed in place.
        bodies: path → what may be posted there beside JSON: media type → its description.

    Returns:
        The same document.
    """
    for path, content in bodies.items():
        body = spec["paths"][path]["post"]["requestBody"]
        body.update(content={**content, **body["content"]}, required=True)
    schema = {"schema": {"$ref": "#/components/schemas/ProblemOut"}}
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            if method not in _METHODS:
                continue
            responses = operation["responses"]
            responses |= {status: {"description": told} for status, told in _ALWAYS.items()}
            if is_limited(method.upper(), path):
                responses["429"] = {
                    "description": "Too Many Requests",
                    "content": {PROBLEM: schema},
                    "headers": {
                        "Retry-After": {
                            "description": "Seconds until the next request makes sense.",
                            "schema": {"type": "integer", "minimum": 1},
                        }
                    },
                }
            for status, response in responses.items():
                if int(status) >= 400:
                    response["content"] = {PROBLEM: schema}
            operation["responses"] = dict(sorted(responses.items()))
    return spec

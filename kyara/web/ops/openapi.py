"""The OpenAPI document as APIFlask makes it → one that says what really comes back."""

from __future__ import annotations

from typing import Any

from kyara.web.ops.limits import is_limited

PROBLEM = "application/problem+json"
_METHODS = frozenset({"get", "head", "post", "put", "patch", "delete"})


def complete_document(spec: Any) -> Any:
    """Give errors the media type that they have, and every limited route its 429.

    Args:
        spec: the document, a dictionary; it is changed in place.

    Returns:
        The same document.
    """
    schema = {"schema": {"$ref": "#/components/schemas/ProblemOut"}}
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            if method not in _METHODS:
                continue
            responses = operation["responses"]
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

"""Pictures of the library as the page shows them: small copies, made of the files each time.

The browser keeps them, and asks again before it shows one: whoever has logged out sees none.
"""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import String
from apiflask.validators import OneOf
from flask import Response, request

from kyara.dataset.library.showing import find_picture_file, shrink_picture
from kyara.web.operator.guard import let_browser_keep
from kyara.web.operator.set_library import DECODING, open_set_library
from kyara.web.serving.model_queue import find_model

SIZES_PX = {"small": 320, "large": 1_600}
"""Longest sides."""

blueprint = APIBlueprint(
    "library_pictures", __name__, url_prefix="/operator/library/pictures", enable_openapi=False
)


class SizeIn(Schema):
    """How large."""

    size = String(load_default="small", validate=OneOf(list(SIZES_PX)))


@blueprint.get("/<int:picture>")
@blueprint.input(SizeIn, location="query", arg_name="asked")
def send_picture(picture: int, asked: dict[str, Any]) -> Response:
    """Send a small copy of a picture, by its number."""
    with open_set_library() as engine:
        file = find_picture_file(engine, picture)
    file.check()
    tag = f"{file.size:x}-{file.mtime_ns:x}-{SIZES_PX[asked['size']]}"
    if request.if_none_match.contains(tag):
        response = Response(status=304)
    else:
        with find_model().find_deadline().hold(DECODING):
            response = Response(shrink_picture(file, SIZES_PX[asked["size"]]), mimetype="image/jpeg")
    response.set_etag(tag)
    let_browser_keep()
    return response

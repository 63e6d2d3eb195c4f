"""What goes in and out of `POST /api/pictures`, as APIFlask and the OpenAPI document know it."""

from __future__ import annotations

from typing import Any

from apiflask import Schema
from apiflask.fields import Boolean, Float, Integer, List, Nested, String
from apiflask.validators import Length, Range

from kyara.web.crops import MAX_PICTURES
from kyara.web.schemas import LANGUAGE, WARNING, ModelOut, PictureProblemOut, VerdictOut


class LookIn(Schema):
    """How pictures are looked at."""

    top_k = Integer(
        validate=Range(min=1, max=50), metadata={"description": "Answers a face; 5 by default."}
    )
    language = LANGUAGE
    whole = Boolean(
        metadata={"description": "Each picture is one face crop, and no faces are looked for in it."}
    )


class PicturesIn(LookIn):
    """Pictures as data URLs, and how they are looked at."""

    pictures = List(
        String(),
        required=True,
        validate=Length(min=1, max=MAX_PICTURES),
        metadata={
            "description": "Data URLs (base64) of PNG, JPEG or WebP pictures, up to 12.5 Mpx each.",
            "example": ["data:image/png;base64,iVBORw0KGgo…"],
        },
    )


class BoxOut(Schema):
    """Where a face lies, in pixels of the picture, the origin top left; inside the picture."""

    x = Integer()
    y = Integer()
    width = Integer()
    height = Integer()


class BoxedFaceOut(VerdictOut):
    """What Kyara says of a face in a picture."""

    box = Nested(BoxOut)


class ImageOut(Schema):
    """What Kyara says of one picture, or why it says nothing."""

    source = String(
        metadata={"description": "The name of the file, if it was sent with one; else empty."}
    )
    width = Integer(metadata={"description": "Pixels; 0 beside an error."})
    height = Integer(metadata={"description": "Likewise."})
    faces = List(Nested(BoxedFaceOut), metadata={"description": "The largest first."})
    error = Nested(
        PictureProblemOut,
        metadata={"description": "Only of a picture that cannot be read, beside others that can."},
    )
    warning = WARNING


class PicturesOut(Schema):
    """One entry a picture, in order; as `kyara identify --json` prints them."""

    model = Nested(ModelOut)
    images = List(Nested(ImageOut))
    took_ms = Float(metadata={"description": "Time from decoded request to answers, milliseconds."})


def describe_bodies() -> dict[str, Any]:
    """Return what the body may be beside JSON, as the OpenAPI document has it: a form, or one file."""
    file = {"type": "string", "format": "binary"}
    form = {
        "type": "object",
        "required": ["picture"],
        "properties": {
            "picture": {
                "type": "array",
                "items": file,
                "minItems": 1,
                "maxItems": MAX_PICTURES,
                "description": "PNG, JPEG or WebP files, up to 12.5 Mpx each.",
            },
            "top_k": {"type": "integer", "minimum": 1, "maximum": 50},
            "language": {"type": "string"},
            "whole": {"type": "boolean"},
        },
    }
    return {
        "multipart/form-data": {"schema": form},
        "application/octet-stream": {"schema": file},
        **{f"image/{kind}": {"schema": file} for kind in ("jpeg", "png", "webp")},
    }

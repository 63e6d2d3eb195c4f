"""What goes in and out over HTTP, as APIFlask and the OpenAPI document know it."""

from __future__ import annotations

from apiflask import Schema
from apiflask.fields import Float, Integer, List, Nested, String
from apiflask.validators import Length, OneOf, Range

from kyara.bundle import LANGUAGES
from kyara.web.crops import MAX_CROPS

LANGUAGE = String(
    validate=OneOf(LANGUAGES),
    metadata={"description": "Language of names and works; by default the one the browser asks for."},
)


class IdentifyIn(Schema):
    """Crops to identify."""

    crops = List(
        String(),
        required=True,
        validate=Length(min=1, max=MAX_CROPS),
        metadata={
            "description": "Data URLs (base64) of PNG, JPEG or WebP face crops, up to 16 Mpx each.",
            "example": ["data:image/png;base64,iVBORw0KGgo…"],
        },
    )
    top_k = Integer(
        load_default=5,
        strict=True,
        validate=Range(min=1, max=50),
        metadata={"description": "Answers a crop."},
    )
    language = LANGUAGE


class ModelOut(Schema):
    """Which model answered."""

    name = String(metadata={"description": "The bundle's folder name."})
    version = String(metadata={"description": "Changes whenever any part of the model changes."})


class ServingModelOut(ModelOut):
    """The model that serves."""

    characters = Integer(metadata={"description": "How many characters it knows."})


class AnswerOut(Schema):
    """One ranked character."""

    label = String(metadata={"description": "Stable id."})
    name = String(metadata={"description": "Name in the reader's language."})
    work = String(metadata={"description": "The series."})
    confidence = Float(metadata={"description": "Calibrated probability, 0 to 1."})
    similarity = Float(
        allow_none=True, metadata={"description": "Cosine to the nearest reference face, or null."}
    )


class FaceOut(Schema):
    """What Kyara says of one crop."""

    verdict = String(validate=OneOf(["known", "unknown"]))
    answers = List(Nested(AnswerOut), metadata={"description": "Best first."})


class IdentifyOut(Schema):
    """One face a crop, in order."""

    model = Nested(ModelOut)
    faces = List(Nested(FaceOut))
    took_ms = Float(metadata={"description": "Time from decoded request to answers, milliseconds."})


class CharactersIn(Schema):
    """What to complete."""

    query = String(
        load_default="", validate=Length(max=100), metadata={"description": "Part of a name."}
    )
    language = LANGUAGE
    limit = Integer(load_default=20, validate=Range(min=1, max=2000))


class CharacterOut(Schema):
    """A character that the model knows."""

    label = String()
    name = String()
    work = String()


class CharactersOut(Schema):
    """Characters whose name, work or label, in any language, holds the query."""

    characters = List(Nested(CharacterOut))


class HealthOut(Schema):
    """Whether a model serves."""

    status = String()
    model = Nested(ServingModelOut)


class ProblemOut(Schema):
    """An error: RFC 9457 problem details."""

    type = String(metadata={"example": "about:blank"})
    title = String(metadata={"example": "Broken image"})
    status = Integer(metadata={"example": 422})
    detail = String(metadata={"example": "The picture is damaged or cut short and cannot be decoded."})
    crop = Integer(metadata={"description": "Index of the crop at fault, where one of several is."})

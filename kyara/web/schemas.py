"""What goes in and out over HTTP, as APIFlask and the OpenAPI document know it."""

from __future__ import annotations

from typing import Any, get_args

from apiflask import Schema
from apiflask.fields import Boolean, Field, Float, Integer, List, Nested, String
from apiflask.validators import Length, OneOf, Range

from kyara.recognition.answers import Verdict
from kyara.recognition.enrolment import MAX_TAUGHT_CROPS
from kyara.recognition.explain import METHODS
from kyara.vision.languages import DEFAULT_LANGUAGE, LANGUAGES
from kyara.web.crops import MAX_CROPS

CODES = ", ".join(LANGUAGES)
LANGUAGE = String(
    validate=OneOf(list(LANGUAGES)),
    metadata={"description": "Language of names and works; by default the one the browser asks for."},
)


class Flag(Boolean):
    """True or false, and nothing that only stands for one."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class IdentifyIn(Schema):
    """Crops to identify."""

    crops = List(
        String(),
        required=True,
        validate=Length(min=1, max=MAX_CROPS),
        metadata={
            "description": "Data URLs (base64, line breaks allowed) of PNG, JPEG or WebP face crops, up "
            "to 16 Mpx each.",
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
    embeddings = Flag(
        load_default=False,
        metadata={
            "description": "Also answer each crop's embedding, the score and the number of references "
            "of each answer, and what others can be ranked among the answers by."
        },
    )


class RankingOut(Schema):
    """How a character with references alone is ranked among the answers.

    Its score is `similarity_scale` × ((1 - `gallery_weight`) × cosine to the mean of its references +
    `gallery_weight` × highest cosine to one). Of whoever comes first `weights` weigh 1, the score, the
    highest cosine, the lead over the second score, the logarithm of 1 + references, and if there are
    seven, the cosine to the mean of its references and 1 if it is `headed`, else 0.
    """

    temperature = Float(metadata={"description": "Scores are divided by it before the softmax."})
    similarity_scale = Float(metadata={"description": "Logits that a cosine of 1 is worth."})
    gallery_weight = Float(metadata={"description": "Share of the nearest reference, 0 to 1."})
    gated = Boolean(metadata={"description": "Whether the weighed sum is the first answer's log-odds."})
    weights = List(Float(), metadata={"description": "Five or seven numbers; see above."})
    familiarity_threshold = Float(
        allow_none=True, metadata={"description": "Sum from which a face is known; null: always."}
    )
    probable_threshold = Float(
        allow_none=True, metadata={"description": "Sum from which it is probable; null: never."}
    )
    alike_from = Float(
        allow_none=True,
        metadata={"description": "Cosine that different characters stay below in 95 of 100 cases."},
    )


class ModelOut(Schema):
    """Which model answered."""

    name = String(metadata={"description": "The bundle's folder name."})
    version = String(metadata={"description": "Changes whenever any part of the model changes."})


class AnsweringModelOut(ModelOut):
    """The model that answered, and with embeddings how to compare them."""

    network = String(
        metadata={"description": "Embeddings of the same network can be compared; others cannot."}
    )
    ranking = Nested(
        RankingOut, allow_none=True, metadata={"description": "Null: the labels are independent."}
    )


class ServingModelOut(ModelOut):
    """The model that serves."""

    characters = Integer(metadata={"description": "How many characters it knows."})


class AnswerOut(Schema):
    """One ranked character."""

    label = String(metadata={"description": "Stable id."})
    name = String(metadata={"description": "Name in the reader's language."})
    work = String(metadata={"description": "The series."})
    url = String(
        allow_none=True, metadata={"description": "The character's page at MyAnimeList, or null."}
    )
    confidence = Float(metadata={"description": "Calibrated probability, 0 to 1."})
    similarity = Float(
        allow_none=True, metadata={"description": "Cosine to the nearest reference face, or null."}
    )
    score = Float(metadata={"description": "What answers are ranked by; with embeddings only."})
    references = Integer(
        metadata={"description": "Reference faces of the character; with embeddings only."}
    )
    prototype = Float(
        allow_none=True,
        metadata={"description": "Cosine to the mean of them, or null; with embeddings only."},
    )
    headed = Boolean(
        metadata={"description": "Whether the model was trained to tell it; with embeddings only."}
    )


class PictureProblemOut(Schema):
    """What is wrong with one picture of several; as in problem details."""

    title = String(metadata={"example": "Broken image"})
    status = Integer(metadata={"description": "What the picture alone would be answered with."})
    detail = String(metadata={"example": "The picture is damaged or cut short and cannot be decoded."})


WARNING = String(
    metadata={
        "description": "What is wrong with a picture that is answered all the same.",
        "example": "The picture is cut short: what is missing was left blank.",
    }
)


class VerdictOut(Schema):
    """What Kyara says of one face."""

    verdict = String(
        validate=OneOf(get_args(Verdict)),
        metadata={
            "description": "`known`: the first answer is a name to rely on; `probably`: it may well be "
            "right, and is not to be taken for a fact; `unknown`: the face is likely nobody whom the "
            "model knows, and the answers are guesses. Models without a threshold for it never say "
            "`probably`."
        },
    )
    answers = List(Nested(AnswerOut), metadata={"description": "Best first."})
    embedding = String(
        metadata={
            "description": "Base64 of the crop's embedding: 32-bit floats, little-endian, unit length. "
            "Only where `embeddings` asks for it."
        }
    )


class FaceOut(VerdictOut):
    """What Kyara says of one crop, or why it says nothing."""

    error = Nested(
        PictureProblemOut,
        metadata={
            "description": "Only of a crop that cannot be read, beside others that can: the verdict is "
            "`unknown` then, and there are no answers."
        },
    )
    warning = WARNING


class IdentifyOut(Schema):
    """One face a crop, in order."""

    model = Nested(AnsweringModelOut)
    faces = List(Nested(FaceOut))
    took_ms = Float(metadata={"description": "Time from decoded request to answers, milliseconds."})


class ExplainIn(Schema):
    """A crop, and the answer to explain."""

    crop = String(
        required=True, metadata={"description": "Data URL (base64) of a PNG, JPEG or WebP face crop."}
    )
    label = String(
        validate=Length(max=200),
        metadata={"description": "Any character that the model knows; by default the best answer."},
    )
    method = String(
        load_default="occlusion",
        validate=Length(max=40),
        metadata={
            "description": "How the map is made: "
            + "; ".join(f"`{method}`: {question}" for method, question in METHODS.items()),
            "enum": list(METHODS),
        },
    )
    language = LANGUAGE


class NeighbourOut(Schema):
    """A reference face near to the crop."""

    label = String()
    name = String(metadata={"description": "Name in the reader's language."})
    similarity = Float(metadata={"description": "Cosine to the crop, -1 to 1."})
    reference = String(metadata={"description": "Id of the reference; may be empty."})
    taught = Boolean(metadata={"description": "Whether an operator added it."})
    thumbnail = String(metadata={"description": "Data URL of a picture, of taught references only."})


class ExplainOut(Schema):
    """What speaks for one answer."""

    heatmap = String(
        metadata={
            "description": "Data URL of a PNG in the crop's shape, to be laid over it: black where "
            "nothing speaks for the answer, over violet and orange to pale yellow where most does."
        }
    )
    method = String(validate=OneOf(list(METHODS)))
    label = String()
    score = Float(metadata={"description": "The crop's score for the label, as answers are ranked by."})
    strength = Float(
        metadata={
            "description": "How much the strongest place changes the score, in units of the calibration "
            "temperature; below 1 no single place decides, and the map stays dark."
        }
    )
    nearest = List(
        Nested(NeighbourOut),
        metadata={"description": "The nearest references: of the label, and of other characters."},
    )
    took_ms = Float(metadata={"description": "Time from decoded request to explanation, milliseconds."})


class CharactersIn(Schema):
    """What to complete."""

    query = String(
        load_default="",
        validate=Length(max=100),
        metadata={"description": "Words of a name, a work or a label, in any language and order."},
    )
    language = LANGUAGE
    limit = Integer(load_default=20, validate=Range(min=1, max=2000))
    whole = Boolean(
        load_default=False,
        truthy={"true"},
        falsy={"false"},
        metadata={
            "description": "Only those whose whole name the query is, in any language and any order of "
            "its words."
        },
    )


class CharacterOut(Schema):
    """A character that the model knows."""

    label = String()
    name = String()
    work = String()


class CharactersOut(Schema):
    """Characters whom the query tells, the best match first."""

    characters = List(Nested(CharacterOut))


class HealthOut(Schema):
    """Whether a model serves."""

    status = String()
    model = Nested(ServingModelOut)


class Texts(Field):
    """A name or a work: text (taken as English), or an object from language to text."""

    default_error_messages = {  # noqa: RUF012  (as marshmallow declares it)
        "invalid": f"Give text, or an object with texts under any of {CODES}."
    }

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, str]:
        texts = {DEFAULT_LANGUAGE: value} if isinstance(value, str) else value
        if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
            raise self.make_error("invalid")
        return texts


TEXTS = {"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}]}


class LessonIn(Schema):
    """A character to teach."""

    label = String(
        required=True,
        metadata={"description": "ASCII id of a new or a known character.", "example": "hatsune_miku"},
    )
    name = Texts(
        metadata={"description": f"What people read: text, or one per language ({CODES}).", **TEXTS}
    )
    work = Texts(metadata={"description": "The series, likewise.", **TEXTS})
    crops = List(
        String(),
        required=True,
        validate=Length(min=1, max=MAX_TAUGHT_CROPS),
        metadata={"description": "Data URLs (base64) of PNG, JPEG or WebP face crops."},
    )


class ForgetIn(Schema):
    """What to forget."""

    reference = String(metadata={"description": "Only this taught reference."})


class LessonOut(Schema):
    """What is kept of a character now."""

    label = String()
    references = Integer(metadata={"description": "How many taught references it has."})


class TaughtOut(CharacterOut):
    """A character with taught references."""

    references = Integer(metadata={"description": "How many taught references it has."})
    ids = List(String(), metadata={"description": "The id of each."})


class GalleryOut(Schema):
    """What operators taught."""

    characters = List(Nested(TaughtOut))
    forgotten = List(
        String(), metadata={"description": "Labels of the model itself that are not to be answered."}
    )


class ProblemOut(Schema):
    """An error: RFC 9457 problem details."""

    type = String(metadata={"example": "about:blank"})
    title = String(metadata={"example": "Broken image"})
    status = Integer(metadata={"example": 422})
    detail = String(metadata={"example": "The picture is damaged or cut short and cannot be decoded."})
    request_id = String(metadata={"description": "As in `X-Request-ID` and in the site's log."})
    crop = Integer(
        metadata={"description": "Index of the crop or picture at fault, where one of several is."}
    )

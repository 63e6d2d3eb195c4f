"""`POST /api/pictures`: whole pictures in, their faces with names out; for programs.

The page finds faces in the browser, so that no whole picture is sent here; a program has no browser.
What finds the faces here is the detector that the page uses, if the extra `detect` is installed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apiflask import APIBlueprint
from flask import current_app

from kyara.errors import BundleError, TooLargeError
from kyara.recognition.classifier import Classifier
from kyara.recognition.pictures import IdentifiedPicture, identify_pixels
from kyara.web.crops import MAX_PICTURE_PIXELS, SentPictures
from kyara.web.ops.limits import charge
from kyara.web.ops.monitoring import count_verdicts
from kyara.web.public.pages import select_language
from kyara.web.public.picture_request import read_sent
from kyara.web.public.picture_schemas import LookIn, PicturesIn, PicturesOut
from kyara.web.serving.admission import Admission, Deadline
from kyara.web.serving.model_queue import find_model

if TYPE_CHECKING:
    from kyara.vision.detectors.base import FaceDetector

LOOK_SIZE = 30
"""How many crops' work it is to find the faces in a square picture, and to name them."""
MAX_RATIO = 16
"""Longer side over shorter side; a long picture is as much work as so many square ones."""
PLACES = 8
"""Requests that may wait or run; one at a time runs."""

NOT_ANSWERED = {"width": 0, "height": 0, "faces": []}
"""What stands beside the error of a picture, so that whoever reads faces alone reads on."""

blueprint = APIBlueprint("pictures", __name__)
# One thread of one network finds all faces: more at a time would only hold more pixels in memory.
turns = Admission(1, PLACES)


@blueprint.post("/api/pictures")
@blueprint.input(LookIn, location="query", arg_name="query")
@blueprint.input(PicturesIn, location="json", arg_name="document", validation=False)
@blueprint.output(PicturesOut)
@blueprint.doc(summary="Who is in these pictures?", responses=[400, 403, 413, 415, 422, 501, 503])
def identify_pictures(query: dict[str, Any], document: Any) -> dict[str, Any]:
    """Find the faces of 1 to 8 whole pictures and answer their most likely characters.

    The body is a form with files (any field that is a file is a picture), JSON with data URLs, or one
    picture itself; `top_k`, `language` and `whole` are fields of the form, members of the JSON, or in
    the query. Pictures are never written to disk. A picture that cannot be read has an `error` in its
    place, and the others are answered; if none can be read, the request is refused with what is wrong
    with the first. A server without a face detector answers 501 unless `whole` is true.
    """
    started = time.perf_counter()
    turns.check_room()
    model = find_model()
    sent = read_sent(query, document)
    how = {"top_k": 5, "whole": False, "language": select_language(), **sent.options}
    deadline = model.find_deadline()
    with _open_finder(how["whole"]) as finder:
        pictures = SentPictures(sent.reads, tolerant=True, max_pixels=MAX_PICTURE_PIXELS)
        size = _weigh(pictures, finder)
        charge(len(pictures.good) - 1 + pictures.extra_requests)
        with turns.hold(deadline, size), model.place(size) as classifier:
            seen = {
                index: found
                for index in pictures.good
                if (found := _look(pictures, index, deadline, classifier, finder, how["top_k"]))
            }
    pictures.check_any()
    count_verdicts(face.verdict for found in seen.values() for _, face in found.faces)
    images = [
        {
            "source": name,
            **(seen[index].describe(classifier, how["language"]) if index in seen else NOT_ANSWERED),
            **pictures.describe_problem(index),
        }
        for index, name in enumerate(sent.names)
    ]
    return {
        "model": {"name": classifier.bundle.name, "version": classifier.bundle.version},
        "images": images,
        "took_ms": round((time.perf_counter() - started) * 1000, 1),
    }


@contextmanager
def _open_finder(whole: bool) -> Iterator[FaceDetector | None]:
    """Open the detector that the page uses; none where each picture is one crop.

    Raises:
        NotInstalledError: what it needs is not installed.
    """
    if whole:
        yield None
        return
    from kyara.vision.detectors.base import check_installed, open_detector

    check_installed(threads=1)  # the other cores are for those who ask about crops
    models = Path(current_app.config["MODEL_FOLDER"])
    with ExitStack() as opened:
        try:
            finder = opened.enter_context(open_detector(models=models))
        except BundleError:  # the page uses the cascade then, too
            finder = opened.enter_context(open_detector("cascade"))
        yield finder


def _weigh(pictures: SentPictures, finder: FaceDetector | None) -> int:
    """Return how much work pictures are, in crops; those that are too long are not answered.

    Raises:
        TooLargeError: all are too long.
    """
    if finder is None:
        return len(pictures.good) + pictures.extra_crops
    parts = 0
    for index in pictures.good:
        declared = pictures.declared(index)
        ratio = max(declared.width, declared.height) / max(1, min(declared.width, declared.height))
        if ratio > MAX_RATIO:
            sentence = (
                f"The picture has {declared.width}×{declared.height} pixels; faces are found in "
                f"pictures that are at most {MAX_RATIO} times as long as wide: cut it into parts."
            )
            pictures.fail(index, TooLargeError(sentence))
            continue
        parts += max(1, math.ceil(ratio))
    pictures.check_any()
    return LOOK_SIZE * parts + pictures.extra_crops


def _look(
    pictures: SentPictures,
    index: int,
    deadline: Deadline,
    classifier: Classifier,
    finder: FaceDetector | None,
    top_k: int,
) -> IdentifiedPicture | None:
    """Say who is in one picture; None where it cannot be decoded."""
    with pictures.unpack(index, deadline) as pixels:
        return None if pixels is None else identify_pixels(pixels, classifier, finder, top_k=top_k)

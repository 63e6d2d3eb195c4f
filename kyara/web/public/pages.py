"""The page that visitors see, and the language in which they see it.

In: the browser's languages, or the one chosen on the page. Out: HTML, with the sentences and
addresses that the page's scripts need in one JSON block.
"""

from __future__ import annotations

from flask import Blueprint, current_app, g, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from kyara.errors import BundleError
from kyara.recognition.bundle_parts import Preprocessing
from kyara.vision.languages import DEFAULT_LANGUAGE, LANGUAGES
from kyara.web.public.detector import detector_urls

blueprint = Blueprint("pages", __name__)

LANGUAGE_COOKIE = "language"
LANGUAGE_COOKIE_SECONDS = 365 * 24 * 3600
SMALLEST_CROP_PX, LARGEST_CROP_PX = 256, 512


def select_language() -> str:
    """Choose a language, once a request: the reader's switch first, then the browser's languages."""
    if "language" not in g:
        chosen = request.cookies.get(LANGUAGE_COOKIE, "")
        accepted = request.accept_languages.best_match(LANGUAGES) if chosen not in LANGUAGES else chosen
        g.language = accepted or DEFAULT_LANGUAGE
    return g.language


def select_locale() -> str:
    """Choose the locale for Flask-Babel."""
    return LANGUAGES[select_language()].locale


@blueprint.app_context_processor
def describe_languages() -> dict[str, object]:
    """Give every template the reader's language and those to choose from."""
    language = select_language()
    return {"language": language, "locale": LANGUAGES[language].tag, "languages": LANGUAGES}


@blueprint.get("/")
def show_page() -> Response:
    """Show the page; `?lang=ja` remembers a language first."""
    chosen = request.args.get("lang")
    if chosen is not None:
        return remember_language(chosen)
    preprocessing = find_preprocessing()
    page = render_template(
        "index.html",
        urls=script_urls(),
        messages=script_messages(),
        crop_px=choose_crop_px(),
        crop_margin=preprocessing.margin,
        upright_from_deg=preprocessing.upright_from_deg,
    )
    response = make_response(page)
    response.headers["Cache-Control"] = "no-cache"
    response.vary.update(("Accept-Language", "Cookie"))
    return response


def remember_language(language: str) -> Response:
    """Redirect to the page, with a cookie if the language is one of ours."""
    response = redirect(url_for("pages.show_page"), code=303)
    if language in LANGUAGES:
        response.set_cookie(
            LANGUAGE_COOKIE,
            language,
            max_age=LANGUAGE_COOKIE_SECONDS,
            secure=request.is_secure,
            httponly=True,
            samesite="Lax",
        )
    return response


def script_urls() -> dict[str, str]:
    """Return the addresses that scripts load by themselves."""
    files = {
        "worker": "js/faces/detector-worker.js",
        "cropper": "vendor/cropper.esm.min.js",
        "opencv": "vendor/opencv-glue.js",
        "wasm": "vendor/opencv.wasm",
        "cascade": "vendor/lbpcascade_animeface.xml",
        "settings": "detector.json",
        "example": "vendor/example.png",
    }
    urls = {name: url_for("static", filename=path) for name, path in files.items()}
    return urls | detector_urls()


def choose_crop_px() -> int:
    """Return the longest side of a crop that pages send: half as much again as the network looks at.

    The server scales crops down, with its own filter; less than that half is seen in the answers.
    """
    try:
        preprocessing = current_app.extensions["kyara_model"].classifier.bundle.preprocessing
    except BundleError:
        return LARGEST_CROP_PX
    seen_px = preprocessing.input_px / (1 - 2 * max(view.inset for view in preprocessing.views))
    return min(LARGEST_CROP_PX, max(SMALLEST_CROP_PX, round(1.5 * seen_px)))


def find_preprocessing() -> Preprocessing:
    """Return what the model wants to see of a face; the defaults while none serves."""
    try:
        return current_app.extensions["kyara_model"].classifier.bundle.preprocessing
    except BundleError:
        return Preprocessing(SMALLEST_CROP_PX)


def script_messages() -> dict[str, str]:
    """Return every sentence that scripts say, in the reader's language.

    `{name}` is replaced by the scripts. Keys with `_one` and `_other` are chosen by the number.
    """
    return {
        # opening a picture
        "opening": _("Opening the picture…"),
        "unreadable": _(
            "Your browser cannot read this file. PNG, JPEG, WebP, AVIF, BMP, GIF and common videos work."
        ),
        "example_failed": _("The example could not be loaded."),
        "dropped_link": _(
            "That was a link, not a picture. Copy the picture and paste it here, or save it first."
        ),
        "frame_of": _("Frame {number} of {total}"),
        "time_of": _("{time} of {total}"),
        # finding faces
        "loading_finder": _("Loading the face finder…"),
        "finder_failed": _(
            "The face finder could not be loaded. You can still draw a box around a face."
        ),
        "finding": _("Looking for faces…"),
        "no_faces": _("No face found. Draw a box around a face, or ask for more faces below."),
        "no_faces_frame": _("No face in this frame. Try another frame, or draw a box around a face."),
        "too_many": _("Only the first {limit} faces can be identified at once."),
        "strictness": _("Level {number} of {total}"),
        "more_faces_one": _("1 more possible face"),
        "more_faces_other": _("{count} more possible faces"),
        # asking
        "asking_one": _("One face. Asking who it is…"),
        "asking_other": _("{count} faces. Asking who they are…"),
        "done_one": _("One face, {known} recognized."),
        "done_other": _("{count} faces, {known} recognized."),
        "busy": _("Kyara is busy. Trying again in {seconds} s…"),
        "too_often": _("Many requests came from your address. Please try again {when}."),
        "busy_for_long": _("Kyara is very busy right now."),
        "offline": _("You are offline. Kyara asks again as soon as you are back."),
        "unreachable": _("Kyara cannot be reached."),
        "refused": _("Kyara could not answer: {detail}"),
        "try_again": _("Try again"),
        # live
        "live_picture": _("Picture, playing"),
        "live_on": _("Live. To stop at a frame, press L or Escape, or click on the picture."),
        "live_unknown": _("Unknown"),
        "live_appeared": _("{name} is in the picture."),
        "live_busy": _("Kyara is busy. Names go on in {seconds} s."),
        "live_offline": _("You are offline. Names go on as soon as you are back."),
        "live_unreachable": _("Kyara cannot be reached. Names go on as soon as it answers."),
        "live_failed": _("This cannot be played here. You can still go through it frame by frame."),
        # boxes and cards
        "picture": _("Picture"),
        "face_number": _("Face {number}"),
        "box_label": _("Face {number}: {who}"),
        "box_role": _("face box"),
        "box_added": _(
            "Box added. Move it with the arrow keys, resize it with Shift and the arrow keys."
        ),
        "box_removed": _("Face {number} removed."),
        "turned": _("The picture was turned."),
        "undone": _("Undone."),
        "redone": _("Redone."),
        "identify_one": _("Identify 1 face"),
        "identify_other": _("Identify {count} faces"),
        "identified": _("All identified"),
        "unknown": _("Not someone I know"),
        "closest": _("Closest guesses"),
        "not_asked": _("Not identified yet"),
        "asked": _("Asking…"),
        "stale": _("The box has changed since this answer."),
        "not_answered": _("No answer"),
        "crop_of": _("Crop of face {number}"),
        "wrong_about": _("Wrong? Correct the answer for face {number}"),
        "remove_face": _("Remove face {number}"),
        # why
        "why_about": _("Why? What speaks for the answer to face {number}"),
        "why_drawing": _("Hiding one part of the face after the other…"),
        "why_faint": _("No single place decides this answer."),
        "why_map": _("Heat map over face {number}: what speaks for {name}"),
        "why_none": _("Kyara has no reference faces to compare with."),
        # reports
        "label_missing": _("Write a name, or choose one of the other two."),
        "characters_found_one": _("One suggestion"),
        "characters_found_other": _("{count} suggestions"),
        "report_sending": _("Sending your report…"),
        "report_waiting": _("No connection. Your report is kept and will be sent."),
        "report_thanks": _("Thank you! A person will check it; then Kyara learns from it."),
        "report_refused": _("Your report was not taken: {detail}"),
        "report_withdrawn": _("Your report is withdrawn."),
        "report_too_late": _("It was too late to withdraw the report."),
        "undo": _("Undo"),
        "undo_in": _("Undo ({seconds})"),
    }

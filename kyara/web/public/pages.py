"""The page that visitors see, and the language in which they see it.

In: the browser's languages, or the one chosen on the page. Out: HTML, with the sentences and
addresses that the page's scripts need in one JSON block.
"""

from __future__ import annotations

import gzip

from flask import Blueprint, current_app, g, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from kyara.errors import BundleError
from kyara.recognition.bundle_parts import Preprocessing
from kyara.vision.languages import DEFAULT_LANGUAGE, LANGUAGES
from kyara.web.ops.headers import allow_forms_to
from kyara.web.public.catalogue import count_known
from kyara.web.public.detector import detector_urls

blueprint = Blueprint("pages", __name__)

TAKES_PICTURES = "https://saucenao.com"
"""Takes pictures from a form: *Search elsewhere* of an unknown face posts the picture there."""
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
    return {
        "language": language,
        "locale": LANGUAGES[language].tag,
        "languages": LANGUAGES,
        "language_url": language_url,
    }


def language_url(code: str) -> str:
    """Return the address that shows this page in a language; the first page where this one has none."""
    return (
        address_here(lang=code)
        if request.blueprint == "characters"
        else url_for("pages.show_page", lang=code)
    )


def address_here(**values: object) -> str:
    """Return the address of what is shown, with the same search; `values` come into its query."""
    query = request.args.get("q") or None
    return url_for(request.endpoint or "", **(request.view_args or {}), q=query, **values)  # type: ignore[arg-type]


@blueprint.get("/")
def show_page() -> Response:
    """Show the page; `?lang=ja` remembers a language first."""
    chosen = request.args.get("lang")
    if chosen is not None:
        return remember_language(chosen, url_for("pages.show_page"))
    allow_forms_to(TAKES_PICTURES)
    preprocessing = find_preprocessing()
    page = render_template(
        "index.html",
        known=count_known(),
        urls=script_urls(),
        messages=script_messages(),
        crop_px=choose_crop_px(),
        crop_margin=preprocessing.margin,
        upright_from_deg=preprocessing.upright_from_deg,
    )
    response = make_response(page)
    response.headers["Cache-Control"] = "no-cache"
    response.vary.update(("Accept-Encoding", "Accept-Language", "Cookie"))
    return compress(response)


def compress(response: Response) -> Response:
    """Compress a page for a browser that takes gzip; it must hold no secret beside what was sent."""
    if request.accept_encodings.quality("gzip") > 0:
        response.set_data(gzip.compress(response.get_data(), compresslevel=6, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response


def remember_language(language: str, page: str) -> Response:
    """Redirect to a page, with a cookie if the language is one of ours."""
    response = redirect(page, code=303)
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
    urls["address_worker"] = url_for("workers.send_address_worker")
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
        "fetching": _("Fetching the picture from {host}…"),
        "address_blocked": _(
            "{host} does not let other pages read its pictures. "
            "Open it, save the picture, and drop it here."
        ),
        "address_page": _(
            "There is a page at that address, not a picture. "
            "Open it, save the picture, and drop it here."
        ),
        "address_missing": _("There is no picture at that address."),
        "address_too_large": _("That file is too large to be fetched. Save it and drop it here."),
        "address_invalid": _("That is not the address of a picture: one begins with https://."),
        "open_address": _("Open it"),
        "cancel": _("Cancel"),
        "too_many_pictures": _("Only the first {limit} pictures were taken."),
        # the pictures of this tab
        "picture_of": _("Picture {number} of {total}"),
        "remove_picture": _("Remove picture {number}"),
        "picture_removed": _("The picture was removed."),
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
        "done_probably_one": _("One face, probably recognized."),
        "done_probably_other": _("{count} faces, {known} recognized, {probable} probably."),
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
        "live_on_touch": _("Live. To stop at a frame, tap the picture."),
        "live_unknown": _("Unknown"),
        "live_appeared": _("{name} is in the picture."),
        "live_busy": _("Kyara is busy. Names go on in {seconds} s."),
        "live_offline": _("You are offline. Names go on as soon as you are back."),
        "live_unreachable": _("Kyara cannot be reached. Names go on as soon as it answers."),
        "live_failed": _("This cannot be played here. You can still go through it frame by frame."),
        "timeline_span": _("{name}, from {start} to {end}"),
        "timeline_copied": _("The times are copied."),
        "timeline_not_copied": _("Your browser does not let Kyara copy. It does so over https."),
        # boxes and cards
        "picture": _("Picture"),
        "face_number": _("Face {number}"),
        "box_label": _("Face {number}: {who}"),
        "box_role": _("face box"),
        "box_added": _(
            "Box added. Move it with the arrow keys, resize it with Shift and the arrow keys."
        ),
        "box_added_touch": _("Box added. Drag it to move it, drag its edges to resize it."),
        "box_removed": _("Face {number} removed."),
        "turned": _("The picture was turned."),
        "undone": _("Undone."),
        "redone": _("Redone."),
        "identify_one": _("Identify 1 face"),
        "identify_other": _("Identify {count} faces"),
        "identified": _("All identified"),
        "unknown": _("Not someone I know"),
        "probably": _("Probably {name}"),
        "maybe": _("{name}?"),
        "alike": _("It looks a little like:"),
        "not_asked": _("Not identified yet"),
        "asked": _("Asking…"),
        "stale": _("The box has changed since this answer."),
        "not_answered": _("No answer"),
        "crop_of": _("Crop of face {number}"),
        "wrong_about": _("Wrong? Correct the answer for face {number}"),
        "tell_about": _("Tell Kyara who it is: face {number}"),
        "wider_about": _("Draw the box wider: face {number}"),
        "remove_face": _("Remove face {number}"),
        # taking answers along
        "names_copied": _("The names are copied."),
        "picture_copied": _("The picture is copied."),
        "copy_failed": _("Your browser does not let the page copy this. Save it instead."),
        # searching elsewhere
        "elsewhere_sent": _("The picture was sent to {site}, in a tab of its own."),
        "elsewhere_copied": _(
            "The picture is copied, and {site} is open. Paste it there with Ctrl+V: then it leaves for "
            "{site}."
        ),
        "elsewhere_copied_touch": _(
            "The picture is copied, and {site} is open. Paste it there: then it leaves for {site}."
        ),
        "elsewhere_not_copied": _(
            "This browser does not let the page copy the picture. {site} is open: give the file to it "
            "there."
        ),
        # taught by the visitor
        "name_known": _(
            "{name} is known already: choose who it is from the list, or send again if it is somebody "
            "else."
        ),
        "taught_now": _("This browser knows {name} from now on."),
        "taught_more": _("This browser has one more picture of {name}."),
        "taught_twice": _("This picture of {name} is kept already."),
        "taught_unlike": _(
            "This does not look like your other pictures of {name}. It is kept; undo it if it is "
            "somebody else."
        ),
        "taught_later": _("It is kept. The model looks at it as soon as Kyara can be reached."),
        "taught_full": _(
            "At most {limit} pictures of one character are kept. Forget one under “Taught by you”."
        ),
        "taught_no_room": _("At most {limit} pictures are kept. Forget some under “Taught by you”."),
        "taught_failed": _("This browser keeps nothing for this page, or has no room left."),
        "taught_cannot": _("The model that answers here cannot be taught."),
        "taught_again_one": _("The model has changed: a picture that you taught was looked at again."),
        "taught_again_other": _(
            "The model has changed: {count} pictures that you taught were looked at again."
        ),
        "taught_count_one": _("1 character, pictures: {pictures}"),
        "taught_count_other": _("{count} characters, pictures: {pictures}"),
        "taught_waiting_one": _("1 picture waits for the model to look at it."),
        "taught_waiting_other": _("{count} pictures wait for the model to look at them."),
        "taught_picture": _("Picture {number} of {name}"),
        "taught_forget": _("Forget {name}"),
        "taught_forget_picture": _("Forget picture {number} of {name}"),
        "taught_forgotten": _("{name} is forgotten."),
        "taught_picture_forgotten": _("A picture of {name} is forgotten."),
        "taught_all_forgotten": _("Everybody is forgotten."),
        "taught_imported": _("Pictures added: {added}. There already: {there}. Left out: {refused}."),
        "taught_bad_file": _("This is not a file that was saved here."),
        # why
        "why_about": _("Why? What speaks for the answer to face {number}"),
        "why_drawing": _("Hiding one part of the face after the other…"),
        "why_faint": _("No single place decides this answer."),
        "why_map": _("Heat map over face {number}: what speaks for {name}"),
        "why_none": _("Kyara has no reference faces to compare with."),
        # reports
        "label_missing": _("Write a name, or choose one of the other two."),
        "nobody_of_that_name": _(
            "Nobody of that name is known yet; your correction teaches the operator."
        ),
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

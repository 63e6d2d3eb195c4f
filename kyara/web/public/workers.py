"""Scripts that need an address or a policy of their own, and what makes the site installable.

The worker that asks other sites for a picture whose address a visitor gave is the only script that may
connect elsewhere; its policy allows it nothing else. The service worker has to lie at the root, whose
pages it serves; only an installed site has one.
"""

from __future__ import annotations

from flask import Blueprint, Response, current_app, jsonify, render_template, url_for
from flask_babel import gettext as _

from kyara.web.ops.headers import allow_connections

blueprint = Blueprint("workers", __name__)

THEME_COLOR = "#6b46d6"
BACKGROUND_COLOR = "#f8f7fb"


@blueprint.get("/address-worker.js")
def send_address_worker() -> Response:
    """Send the script that fetches a picture from another site, over https alone."""
    allow_connections("https:")
    return current_app.send_static_file("js/picture/address-worker.js")


@blueprint.get("/service-worker.js")
def send_service_worker() -> Response:
    """Send the installed site's service worker."""
    return current_app.send_static_file("js/page/service-worker.js")


@blueprint.get("/offline")
def show_offline_page() -> Response:
    """Show what the installed site shows while there is no connection; it needs no other file."""
    return Response(render_template("offline.html"), headers={"Cache-Control": "no-cache"})


@blueprint.get("/manifest.webmanifest")
def send_manifest() -> Response:
    """Describe the site to be installed; a phone's *Share* then offers it for pictures and videos."""
    icon = {
        "src": url_for("static", filename="icons/favicon.svg"),
        "type": "image/svg+xml",
        "sizes": "any",
    }
    manifest = {
        "id": "/",
        "name": "Kyara",
        "short_name": "Kyara",
        "description": _("Who is this anime character?"),
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "theme_color": THEME_COLOR,
        "background_color": BACKGROUND_COLOR,
        "icons": [icon, {**icon, "purpose": "maskable"}],
        "share_target": {
            "action": "/share",  # the service worker takes it: no picture is sent
            "method": "POST",
            "enctype": "multipart/form-data",
            "params": {"files": [{"name": "pictures", "accept": ["image/*", "video/*"]}]},
        },
    }
    response = jsonify(manifest)
    response.mimetype = "application/manifest+json"
    response.headers["Cache-Control"] = "no-cache"
    return response

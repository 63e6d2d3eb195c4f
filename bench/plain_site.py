"""The rival of the page: the same site without versions and compressed copies, as Flask has it."""

from __future__ import annotations

from apiflask import APIFlask

from app import create_app


def create_plain_app() -> APIFlask:
    """Build the site; in debug mode static files are left to Flask."""
    app = create_app({"DEBUG": True})
    app.debug = False
    return app

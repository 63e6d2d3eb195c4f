"""`serve`: the site, as `make run` serves it."""

from __future__ import annotations

import os
import sys

import click

from kyara.storage.paths import MODEL_FOLDER, ROOT, own_models

GUNICORN_CONFIG = ROOT / "gunicorn.conf.py"


@click.command()
@click.option("--host", envvar="HOST", metavar="ADDRESS", help="Where to listen.  [default: 127.0.0.1]")
@click.option("--port", envvar="PORT", metavar="NUMBER", help="0 takes a free one.  [default: 5000]")
def serve(host: str | None, port: str | None) -> None:
    """Serve the site until Ctrl-C or SIGTERM. Every setting comes from the environment.

    An installed copy keeps reports, accounts and its own model folder in the current folder, or in the
    one that KYARA_HOME names.
    """
    from kyara.web.settings import check_environment

    os.environ.update({name: value for name, value in (("HOST", host), ("PORT", port)) if value})
    check_environment()
    if not os.environ.get("KYARA_MODEL_FOLDER"):
        own_models(MODEL_FOLDER)
    command = list_gunicorn()
    sys.stdout.flush()
    # Become the site: signals reach it, and nothing of this process stays in memory.
    os.execv(command[0], command)  # nosec B606 # no shell, and no word of a stranger


def list_gunicorn() -> list[str]:
    """Return the command that starts the site; HOST, PORT and all settings come from its environment."""
    return [sys.executable, "-m", "gunicorn", "--config", str(GUNICORN_CONFIG)]

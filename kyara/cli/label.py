"""`label`: have the model look at the inbox, and open the labelling page."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.error
import urllib.request
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kyara.cli.known import load_classifier, taught_option
from kyara.cli.options import CACHE_FLAGS, models_option, path_option, show_bar
from kyara.cli.serve import list_gunicorn
from kyara.errors import KyaraError
from kyara.registry import TAUGHT_VARIABLE
from kyara.storage.paths import COMMAND_FOLDER, DATASET_FOLDER, own_models

if TYPE_CHECKING:
    from collections.abc import Callable

CACHE_FOLDER = ".bottlenecks"
START_S = 60
"""How long a site may take to start."""
NOTE_EVERY_S = 0.3

_path = click.Path(path_type=Path)


@click.command()
@click.option(
    "--dataset",
    type=_path,
    envvar="KYARA_DATASET_FOLDER",
    default=DATASET_FOLDER,
    show_default="dataset/",
    help="The dataset folder; its inbox/ is labelled.",
)
@click.option("--prepare", is_flag=True, help="Only have the model look at the inbox, then end.")
@click.option("--no-prepare", is_flag=True, help="Do not have the model look at new faces first.")
@click.option("--no-browser", is_flag=True, help="Print the address, and open no browser.")
@models_option("The model folder; what serves there is asked.", envvar="KYARA_MODEL_FOLDER")
@taught_option
@path_option(
    *CACHE_FLAGS, metavar="FOLDER", help="Cache of embeddings.  [default: DATASET/.bottlenecks]"
)
def label(
    dataset: Path,
    prepare: bool,
    no_prepare: bool,
    no_browser: bool,
    models: Path,
    taught: str | None,
    cache: Path | None,
) -> None:
    """Open the labelling page, and start the site if it does not run.

    Before that the model looks at the faces in the inbox that it has not seen yet.
    """
    if prepare and no_prepare:
        raise click.UsageError("--prepare and --no-prepare do not go together.")
    if not no_prepare:
        cache = cache or dataset / CACHE_FOLDER
        prepare_inbox(dataset, models, taught, cache, always=prepare)
    if not prepare:
        open_site(dataset, models, taught, browser=not no_browser)


def prepare_inbox(dataset: Path, models: Path, taught: str | None, cache: Path, *, always: bool) -> None:
    """Have the model look at the inbox; its progress and its errors can be followed from the site.

    Args:
        dataset: the dataset folder.
        models: the model folder.
        taught: where taught characters are kept; by default as `registry.find_taught` says.
        cache: folder for features.
        always: also where this model has seen every face already.

    Raises:
        BusyError: another process is at it.
        BundleError: no model serves.
    """
    from kyara.dataset.review.labelling import LabelJournal
    from kyara.dataset.review.labelling.preparing import hold_preparing, note_progress
    from kyara.dataset.review.labelling.suggestions import read_suggestions, write_suggestions
    from kyara.dataset.review.suggesting import suggest

    with hold_preparing(dataset):
        try:
            journal = LabelJournal(dataset)
            paths = {face: journal.find_file(face) for face in journal.list_inbox()}
            journal.close()
            classifier = load_classifier(models, taught)
            old = None if always else read_suggestions(dataset)
            if old and old.version == classifier.bundle.version and paths.keys() <= old.faces.keys():
                return
            note_progress(dataset, 0, len(paths))
            with show_bar(len(paths), "Looking at the inbox") as bar:
                found = suggest(classifier, paths, cache, _follow(dataset, len(paths), bar.update))
            write_suggestions(dataset, found)
            note_progress(dataset, len(paths), len(paths))
        except KyaraError as error:
            note_progress(dataset, 0, 0, str(error))
            raise
    kinds = [face.kind for face in found.faces.values()]
    told = ", ".join(f"{kinds.count(kind)} {kind}" for kind in ("uncertain", "new", "sure"))
    click.echo(f"{len(kinds)} faces: {told}. {found.note}".rstrip())


def _follow(dataset: Path, total: int, update: Callable[[int], object]) -> Callable[[int], None]:
    """Return what is called after each face: it draws the bar, and now and then writes the file."""
    from kyara.dataset.review.labelling.preparing import note_progress

    done, noted = 0, time.monotonic()

    def follow(more: int) -> None:
        nonlocal done, noted
        done += more
        update(more)
        if time.monotonic() - noted >= NOTE_EVERY_S:
            noted = time.monotonic()
            note_progress(dataset, done, total)

    return follow


def open_site(dataset: Path, models: Path, taught: str | None, *, browser: bool) -> None:
    """Open the labelling page in the browser; a site that is started here runs until Ctrl-C.

    Raises:
        KyaraError: the site does not start.
    """
    from kyara.web.serving.server_settings import ServerSettings

    server = ServerSettings.read()
    host, port = server.host, str(server.port)
    seen = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # nosec B104 # compared
    site = f"http://{seen}:{port}"
    if _answers(site):
        click.echo("The site runs already; it labels the folder that its KYARA_DATASET_FOLDER names.")
        _show(f"{site}/operator/label", browser)
        return
    settings = {
        "HOST": host,
        "PORT": port,
        "KYARA_DATASET_FOLDER": str(dataset.resolve()),
        "KYARA_MODEL_FOLDER": str(own_models(models).resolve()),
    }
    settings |= (
        {TAUGHT_VARIABLE: taught if "://" in taught else str(Path(taught).resolve())} if taught else {}
    )
    process = subprocess.Popen(list_gunicorn(), cwd=COMMAND_FOLDER, env={**os.environ, **settings})
    try:
        end = time.monotonic() + START_S
        while not _answers(site):
            if process.poll() is not None or time.monotonic() > end:
                raise KyaraError(f"The site did not start at {site}; what it said stands above.")
            time.sleep(0.2)
        _show(f"{site}/operator/label", browser)
        process.wait()
    except KeyboardInterrupt:
        pass
    finally:
        process.terminate()
        process.wait()


def _answers(site: str) -> bool:
    try:
        urllib.request.urlopen(f"{site}/healthz", timeout=10).close()  # nosec B310 # http://
    except urllib.error.HTTPError as error:  # it is up, without a model
        error.close()
    except OSError:
        return False
    return True


def _show(url: str, browser: bool) -> None:
    click.echo(f"{url}  (no account yet? python -m kyara operator create NAME)")
    if browser:
        webbrowser.open(url)
